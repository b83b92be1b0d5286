"""/sandboxes/:id/snapshots, /restore, /fork."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from .answers import data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import Many, One
from .schemas.sandboxes import Sandbox, Snapshot

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)


class SnapshotCreate(Body):
    """Why it is kept."""

    model_config = example({"comment": "before the upgrade"})

    comment: str | None = Field(default=None, max_length=1000)


class SandboxFork(Body):
    """From which snapshot; without one, from the files as they are."""

    model_config = example({})

    snapshot_id: str | None = None


@router.post(
    "/snapshots", **operation("snapshots.create", One[Snapshot], scope="sandboxes:write", sdk="sandbox.snapshots.create", status=201)
)
async def create(asked: Asked, key: str, given: Annotated[SnapshotCreate, body(SnapshotCreate)]) -> Response:
    """Keep a copy of the files."""
    return data((await asked.services.snapshots.create(asked.principal, key, given.comment, **asked.who)).view(), status=201)


@router.get("/snapshots", **operation("snapshots.list", Many[Snapshot], scope="sandboxes:read", sdk="sandbox.snapshots.list"))
async def listed(asked: Asked, key: str) -> Response:
    """Newest first."""
    return data([kept.view() for kept in await asked.services.snapshots.list_snapshots(asked.principal, key, **asked.who)])


@router.delete(
    "/snapshots/{snapshot}", **operation("snapshots.delete", scope="sandboxes:write", sdk="sandbox.snapshots.delete", status=204)
)
async def delete(asked: Asked, key: str, snapshot: str) -> Response:
    """Delete one."""
    await asked.services.snapshots.delete(asked.principal, key, snapshot, **asked.who)
    return nothing()


@router.post(
    "/restore/{snapshot}",
    **operation("snapshots.restore", One[Sandbox], scope="sandboxes:write", sdk="sandbox.snapshots.restore", status=201),
)
async def restore(asked: Asked, key: str, snapshot: str) -> Response:
    """A new sandbox from a snapshot."""
    return data((await asked.services.snapshots.restore(asked.principal, key, snapshot, **asked.who)).view(), status=201)


@router.post("/fork", **operation("sandboxes.fork", One[Sandbox], scope="sandboxes:write", sdk="sandbox.fork", status=201))
async def fork(asked: Asked, key: str, given: Annotated[SandboxFork, body(SandboxFork)]) -> Response:
    """A new sandbox with this one's files; processes, placeholders and rules stay behind."""
    return data((await asked.services.snapshots.restore(asked.principal, key, given.snapshot_id, **asked.who)).view(), status=201)
