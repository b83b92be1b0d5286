"""/templates: what sandboxes can be made from; built on the server's machine."""

from fastapi import APIRouter
from starlette.responses import Response

from .answers import data
from .context import Asked
from .route import Route

router = APIRouter(prefix="/templates", route_class=Route, tags=["templates"])


@router.get("")
async def listed(asked: Asked) -> Response:
    """The default first."""
    await asked.services.identity.authorize(asked.principal, "sandboxes:read", "sandbox:template:list", record=False, **asked.who)
    return data([template.view() for template in asked.services.templates.all()])
