"""/sandboxes/:id/expose and /previews: a port inside, on a port of the server's loopback."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from ..errors import NotSupported
from .answers import data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import Many, One
from .schemas.sandboxes import Preview

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)


_WHAT_TO_DO = "previews are reachable on the server's own machine alone, so they are not shared: forward the port with ssh -L"
_UNSHARED = "previews are reachable on the server's own machine alone, so they are not shared"


class PreviewOpen(Body):
    """Which port; 8000 when nothing is said, as the published clients do."""

    model_config = example({"port": 8000})

    port: int = Field(default=8000, ge=1, le=65535)


@router.post("/expose", **operation("previews.expose", One[Preview], scope="sandboxes:write", compat="previews.open"))
async def expose(asked: Asked, key: str, given: Annotated[PreviewOpen, body(PreviewOpen)]) -> Response:
    """Open a preview; asking again gives the same one."""
    return data((await asked.services.previews.open(asked.principal, key, given.port, **asked.who)).view())


@router.post("/previews", **operation("previews.open", One[Preview], scope="sandboxes:write", sdk="sandbox.previews.open", status=201))
async def create(asked: Asked, key: str, given: Annotated[PreviewOpen, body(PreviewOpen)]) -> Response:
    """Open a preview; asking again gives the same one."""
    return data((await asked.services.previews.open(asked.principal, key, given.port, **asked.who)).view(), status=201)


@router.get("/previews", **operation("previews.list", Many[Preview], scope="sandboxes:read", sdk="sandbox.previews.list"))
async def listed(asked: Asked, key: str) -> Response:
    """The oldest first."""
    return data([preview.view() for preview in await asked.services.previews.listed(asked.principal, key, **asked.who)])


@router.get("/previews/{preview}", **operation("previews.get", One[Preview], scope="sandboxes:read", sdk="sandbox.previews.get"))
async def get(asked: Asked, key: str, preview: str) -> Response:
    """One."""
    return data((await asked.services.previews.get(asked.principal, key, preview, **asked.who)).view())


@router.delete("/previews/{preview}", **operation("previews.close", scope="sandboxes:write", sdk="sandbox.previews.close", status=204))
async def close(asked: Asked, key: str, preview: str) -> Response:
    """Stop listening and end its connections."""
    await asked.services.previews.close(asked.principal, key, preview, **asked.who)
    return nothing()


@router.post("/previews/{preview}/share", **operation("previews.share_one", scope="sandboxes:read", no_sdk=_UNSHARED, status=501))
@router.delete("/previews/{preview}/share", **operation("previews.unshare_one", scope="sandboxes:read", no_sdk=_UNSHARED, status=501))
async def share_one(asked: Asked, key: str, preview: str) -> Response:
    """The same of one preview."""
    await asked.services.previews.get(asked.principal, key, preview, **asked.who)
    raise NotSupported(_WHAT_TO_DO)


@router.post("/preview-token", **operation("previews.token", scope="sandboxes:read", no_sdk=_UNSHARED, status=501))
@router.post("/shares", **operation("previews.share", scope="sandboxes:read", no_sdk=_UNSHARED, status=501))
async def share(asked: Asked, key: str) -> Response:
    """A preview is reachable on the server's own machine alone, so there is nobody to share it with."""
    await asked.services.sandboxes.get(asked.principal, key, **asked.who)
    raise NotSupported(_WHAT_TO_DO)
