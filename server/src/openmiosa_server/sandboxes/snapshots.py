"""Kept copies of a sandbox's files: make, list, delete, and start a new sandbox from one."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..db.ids import new_id
from ..db.tables import sandbox_snapshots as table
from ..errors import Conflict, NotFound, OpenMiosaError
from ..identity import Principal, RequestInfo
from .reach import Reach
from .service import require_own
from .types import CreateSandbox, ForkSandbox, KeepSnapshot, Sandbox, SandboxSnapshot

_LONGEST_COMMENT = 1000
_LONGEST = 10 * 366 * 86400  # seconds; later than that is for good
_FOR_A_FORK = 3600  # seconds that the copy stays which a fork was made of


class Snapshots:
    """The files alone are kept: no process, no placeholder, no policy goes into a copy."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    async def create(
        self, principal: Principal, key: str, wanted: KeepSnapshot | None = None, *, request: RequestInfo | None = None
    ) -> SandboxSnapshot:
        """Copy the writable folders; then let go of the oldest copies, where the sandbox keeps only so many."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:snapshot:create", request)
        wanted = wanted or KeepSnapshot()
        comment, expires_at = wanted.comment, _end(sandbox, wanted)
        row: dict[str, Any] = {
            "id": new_id("snp"),
            "tenant_id": sandbox.tenant_id,
            "sandbox_id": sandbox.id,
            "comment": None if comment is None else comment[:_LONGEST_COMMENT],
            "state": "creating",
            "size_bytes": None,
            "keep": wanted.keep,
            "expires_at": expires_at,
            "created_at": now(),
        }
        async with self._database.begin() as tx:
            await tx.execute(insert(table).values(**row))
        try:
            with self._reach.sandboxes.activity.use(sandbox.id):
                size = await self._reach.do(sandbox, lambda: self._reach.backend.snapshot(sandbox.id, row["id"]))
        except OpenMiosaError:
            await self._settle(row["id"], "failed", None)
            raise
        await self._settle(row["id"], "ready", size)
        self._reach.sandboxes.lifecycle.tell("sandbox.snapshot.created", sandbox, snapshot_id=row["id"], size_bytes=size)
        await self._drop_oldest(sandbox)
        return _record({**row, "state": "ready", "size_bytes": size})

    async def list_snapshots(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> list[SandboxSnapshot]:
        """Those of one sandbox, newest first."""
        sandbox = await self._reach.into(principal, key, "sandboxes:read", "sandbox:snapshot:list", request, wake=False)
        async with self._database.read() as tx:
            query = select(table).where(table.c.sandbox_id == sandbox.id).order_by(table.c.created_at.desc(), table.c.id.desc())
            return [_record(row) for row in (await tx.execute(query)).mappings()]

    async def delete(self, principal: Principal, key: str, snapshot_id: str, *, request: RequestInfo | None = None) -> None:
        """Delete one."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:snapshot:delete", request, wake=False)
        await self._find(sandbox, snapshot_id)
        await self._delete(snapshot_id)

    async def restore(
        self, principal: Principal, key: str, wanted: ForkSandbox | None = None, *, request: RequestInfo | None = None
    ) -> Sandbox:
        """A new sandbox with the copied files; without a snapshot from a copy made now (a fork), which goes again."""
        wanted = wanted or ForkSandbox()
        require_own(principal, wanted.external_workspace_id)
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:snapshot:restore", request, wake=False)
        snapshot_id = wanted.snapshot_id
        if snapshot_id is None:
            snapshot_id = (
                await self.create(principal, sandbox.id, KeepSnapshot("made for a fork", seconds=_FOR_A_FORK), request=request)
            ).id
        found = await self._find(sandbox, snapshot_id)
        _require_ready(found)
        return await self._reach.sandboxes.create(principal, _like(sandbox, snapshot_id, wanted), request=request)

    async def start_from(
        self, principal: Principal, snapshot_id: str, wanted: CreateSandbox, *, request: RequestInfo | None = None
    ) -> Sandbox:
        """A sandbox of one's own choosing with the files of a snapshot, whichever sandbox that was made of."""
        require_own(principal, wanted.owner_user_id, wanted.workspace_id, wanted.external_workspace_id)
        async with self._database.read() as tx:
            query = select(table.c.sandbox_id).where(table.c.id == snapshot_id, table.c.tenant_id == principal.tenant_id)
            sandbox_id = (await tx.execute(query)).scalar_one_or_none()
        if sandbox_id is None:
            raise NotFound("there is no such snapshot; list the snapshots of its sandbox for those there are")
        sandbox = await self._reach.into(principal, sandbox_id, "sandboxes:write", "sandbox:snapshot:restore", request, wake=False)
        _require_ready(await self._find(sandbox, snapshot_id))
        return await self._reach.sandboxes.create(principal, replace(wanted, from_snapshot=snapshot_id), request=request)

    async def expire(self) -> None:
        """Delete the copies whose time is over; housekeeping asks for it."""
        async with self._database.read() as tx:
            over = (table.c.expires_at <= now(), table.c.state != "creating")
            ended = list((await tx.execute(select(table.c.id).where(*over))).scalars())
        for snapshot_id in ended:
            await self._delete(snapshot_id)

    async def _drop_oldest(self, sandbox: Sandbox) -> None:
        most = sandbox.metadata.get("keep_last_snapshots")
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            return
        async with self._database.read() as tx:
            mine = (table.c.sandbox_id == sandbox.id, table.c.state == "ready", table.c.keep.is_(False))
            query = select(table.c.id).where(*mine).order_by(table.c.created_at.desc(), table.c.id.desc()).offset(most)
            surplus = list((await tx.execute(query)).scalars())
        for snapshot_id in surplus:
            await self._delete(snapshot_id)

    async def _delete(self, snapshot_id: str) -> None:
        await self._reach.backend.delete_snapshot(snapshot_id)
        async with self._database.begin() as tx:
            await tx.execute(delete(table).where(table.c.id == snapshot_id))

    async def _find(self, sandbox: Sandbox, snapshot_id: str) -> SandboxSnapshot:
        async with self._database.read() as tx:
            query = select(table).where(table.c.id == snapshot_id, table.c.sandbox_id == sandbox.id)
            row = (await tx.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("this sandbox has no such snapshot; list its snapshots for those there are")
        return _record(row)

    async def _settle(self, snapshot_id: str, state: str, size: int | None) -> None:
        async with self._database.begin() as tx:
            await tx.execute(update(table).where(table.c.id == snapshot_id).values(state=state, size_bytes=size))


def _like(sandbox: Sandbox, snapshot_id: str, wanted: ForkSandbox) -> CreateSandbox:
    same = ("size", "cpu_count", "memory_mb", "disk_size_mb", "persistent", "always_on", "workspace_id", "owner_user_id")
    either = ("template_id", "timeout_sec", "idle_timeout_sec", "metadata", "tags")
    owners = ("external_workspace_id", "external_user_id", "external_project_id")
    values: dict[str, Any] = {name: getattr(sandbox, name) for name in same}
    for name in (*either, *owners):
        own = getattr(wanted, name)
        values[name] = getattr(sandbox, name) if own is None else own
    return CreateSandbox(**values, name=wanted.name, env={**sandbox.env, **(wanted.env or {})}, from_snapshot=snapshot_id)


def _end(sandbox: Sandbox, wanted: KeepSnapshot) -> datetime | None:
    """When a new copy is to be deleted. The published clients put a sandbox's retention into its metadata."""
    seconds = wanted.seconds if wanted.seconds is not None else sandbox.metadata.get("snapshot_expiration_sec")
    if wanted.keep or not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 1:
        return None
    return now() + timedelta(seconds=min(seconds, _LONGEST))


def _record(row: RowMapping | dict[str, Any]) -> SandboxSnapshot:
    return SandboxSnapshot(**{name: row[name] for name in SandboxSnapshot.__slots__})


def _require_ready(found: SandboxSnapshot) -> None:
    if found.state != "ready":
        hint = "ask again in a moment" if found.state == "creating" else "delete it and make another"
        said = f"the snapshot {found.id} is {found.state}; {hint}"
        raise Conflict(said, code="SNAPSHOT_NOT_READY", retry=found.state == "creating")
