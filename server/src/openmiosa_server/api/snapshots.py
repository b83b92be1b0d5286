"""/sandboxes/:id/snapshots, /restore, /fork."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from ..errors import Invalid
from ..sandboxes import ForkSandbox, KeepSnapshot
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import Many, One
from .schemas.sandboxes import Sandbox, Snapshot, SnapshotMade

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)


class SnapshotCreate(Body):
    """Why it is kept, and how long. Without a word it stays, unless its sandbox's metadata says otherwise."""

    model_config = example({"comment": "before the upgrade", "expiration_days": 30})

    comment: str | None = Field(default=None, max_length=1000)
    keep: bool | None = None
    retention_seconds: int | None = Field(default=None, ge=1)
    expiration_seconds: int | None = Field(default=None, ge=1)
    expiration_days: int | None = Field(default=None, ge=1)

    def wanted(self) -> KeepSnapshot:
        """As the service takes it."""
        days = None if self.expiration_days is None else self.expiration_days * 86400
        ends = [seconds for seconds in (self.retention_seconds, self.expiration_seconds, days) if seconds is not None]
        if self.keep and ends:
            raise Invalid("a snapshot is kept for good or until a time, not both", details={"field": "keep"})
        return KeepSnapshot(self.comment, keep=self.keep is True, seconds=min(ends, default=None))


class SandboxFork(Body):
    """From which snapshot, and what the copy has of its own; without a snapshot, from the files as they are."""

    model_config = example({"metadata": {"attempt": 2}})

    snapshot_id: str | None = None
    name: str | None = None
    template_id: str | None = Field(default=None, max_length=255)
    timeout_sec: int | None = Field(default=None, ge=0)
    idle_timeout_sec: int | None = Field(default=None, ge=0)
    metadata: dict[str, Any] | None = None
    env: dict[str, str] | None = None
    tags: list[str] | None = None
    external_user_id: str | None = Field(default=None, max_length=255)
    external_workspace_id: str | None = Field(default=None, max_length=255)
    external_project_id: str | None = Field(default=None, max_length=255)

    @classmethod
    def known_elsewhere(cls) -> frozenset[str]:
        """The rest of the wire's fork body."""
        return frozenset(("environment", "environment_id", "env_id", "no_env", "fail_fast"))

    def wanted(self) -> ForkSandbox:
        """As the service takes it."""
        given = self.model_dump(include=set(ForkSandbox.__slots__) - {"tags"})
        return ForkSandbox(**given, tags=None if self.tags is None else tuple(self.tags))


@router.post(
    "/snapshots", **operation("snapshots.create", One[Snapshot], scope="sandboxes:write", sdk="sandbox.snapshots.create", status=201)
)
async def create(asked: Asked, key: str, given: Annotated[SnapshotCreate, body(SnapshotCreate)]) -> Response:
    """Keep a copy of the files."""
    return data((await asked.services.snapshots.create(asked.principal, key, given.wanted(), **asked.who)).view(), status=201)


@router.post("/snapshot", **operation("snapshots.create_compat", SnapshotMade, scope="sandboxes:write", compat="snapshots.create"))
async def create_compat(asked: Asked, key: str, given: Annotated[SnapshotCreate, body(SnapshotCreate)]) -> Response:
    """The same as an older client has it: the id alone, flat."""
    made = await asked.services.snapshots.create(asked.principal, key, given.wanted(), **asked.who)
    return JSON({"snapshot_id": made.id, "id": made.id})


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
    wanted = ForkSandbox(snapshot_id=snapshot)
    return data((await asked.services.snapshots.restore(asked.principal, key, wanted, **asked.who)).view(), status=201)


@router.post("/fork", **operation("sandboxes.fork", One[Sandbox], scope="sandboxes:write", sdk="sandbox.fork", status=201))
async def fork(asked: Asked, key: str, given: Annotated[SandboxFork, body(SandboxFork)]) -> Response:
    """A new sandbox with this one's files; processes, placeholders and rules stay behind."""
    return data((await asked.services.snapshots.restore(asked.principal, key, given.wanted(), **asked.who)).view(), status=201)
