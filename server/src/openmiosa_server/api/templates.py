"""/templates: what sandboxes can be made from; built on the server's machine."""

from fastapi import APIRouter
from starlette.responses import Response

from .answers import data
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import Many
from .schemas.sandboxes import Template

router = APIRouter(prefix="/templates", route_class=Route)


@router.get("", **operation("templates.list", Many[Template], scope="sandboxes:read", sdk="client.templates"))
async def listed(asked: Asked) -> Response:
    """The default first."""
    await asked.services.identity.authorize(asked.principal, "sandboxes:read", "sandbox:template:list", record=False, **asked.who)
    return data([template.view() for template in asked.services.templates.all()])
