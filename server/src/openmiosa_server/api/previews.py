"""/sandboxes/:id/expose and /previews: a port inside, on a port of the server's loopback."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from ..errors import NotSupported
from .answers import data, nothing
from .bodies import Body, body
from .context import Asked
from .route import Route

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route, tags=["previews"])


class Expose(Body):
    """Which port; 8000 when nothing is said, as the published clients do."""

    port: int = Field(default=8000, ge=1, le=65535)


@router.post("/expose")
async def expose(asked: Asked, key: str, given: Annotated[Expose, body(Expose)]) -> Response:
    """Open a preview; asking again gives the same one."""
    return data((await asked.services.previews.open(asked.principal, key, given.port, **asked.who)).view())


@router.post("/previews", status_code=201)
async def create(asked: Asked, key: str, given: Annotated[Expose, body(Expose)]) -> Response:
    """Open a preview; asking again gives the same one."""
    return data((await asked.services.previews.open(asked.principal, key, given.port, **asked.who)).view(), status=201)


@router.get("/previews")
async def listed(asked: Asked, key: str) -> Response:
    """The oldest first."""
    return data([preview.view() for preview in await asked.services.previews.listed(asked.principal, key, **asked.who)])


@router.get("/previews/{preview}")
async def get(asked: Asked, key: str, preview: str) -> Response:
    """One."""
    return data((await asked.services.previews.get(asked.principal, key, preview, **asked.who)).view())


@router.delete("/previews/{preview}")
async def close(asked: Asked, key: str, preview: str) -> Response:
    """Stop listening and end its connections."""
    await asked.services.previews.close(asked.principal, key, preview, **asked.who)
    return nothing()


@router.post("/preview-token")
@router.post("/shares")
async def share(asked: Asked, key: str) -> Response:
    """A preview is reachable on the server's own machine alone, so there is nobody to share it with."""
    await asked.services.sandboxes.get(asked.principal, key, **asked.who)
    raise NotSupported("previews are reachable on the server's own machine alone, so they are not shared: forward the port with ssh -L")
