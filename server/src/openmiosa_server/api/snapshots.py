"""/sandboxes/:id/snapshots, /restore, /fork."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from .answers import data, nothing
from .bodies import Body, body
from .context import Asked
from .route import Route

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route, tags=["snapshots"])


class Create(Body):
    """Why it is kept."""

    comment: str | None = Field(default=None, max_length=1000)


class Fork(Body):
    """From which snapshot; without one, from the files as they are."""

    snapshot_id: str | None = None


@router.post("/snapshots", status_code=201)
async def create(asked: Asked, key: str, given: Annotated[Create, body(Create)]) -> Response:
    """Keep a copy of the files."""
    return data((await asked.services.snapshots.create(asked.principal, key, given.comment, **asked.who)).view(), status=201)


@router.get("/snapshots")
async def listed(asked: Asked, key: str) -> Response:
    """Newest first."""
    return data([kept.view() for kept in await asked.services.snapshots.list_snapshots(asked.principal, key, **asked.who)])


@router.delete("/snapshots/{snapshot}")
async def delete(asked: Asked, key: str, snapshot: str) -> Response:
    """Delete one."""
    await asked.services.snapshots.delete(asked.principal, key, snapshot, **asked.who)
    return nothing()


@router.post("/restore/{snapshot}", status_code=201)
async def restore(asked: Asked, key: str, snapshot: str) -> Response:
    """A new sandbox from a snapshot."""
    return data((await asked.services.snapshots.restore(asked.principal, key, snapshot, **asked.who)).view(), status=201)


@router.post("/fork", status_code=201)
async def fork(asked: Asked, key: str, given: Annotated[Fork, body(Fork)]) -> Response:
    """A new sandbox with this one's files; processes, placeholders and rules stay behind."""
    return data((await asked.services.snapshots.restore(asked.principal, key, given.snapshot_id, **asked.who)).view(), status=201)
