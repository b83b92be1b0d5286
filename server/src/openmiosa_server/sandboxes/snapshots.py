"""Kept copies of a sandbox's files: make, list, delete, and start a new sandbox from one."""

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
from .types import CreateSandbox, Sandbox, SandboxSnapshot

_LONGEST_COMMENT = 1000


class Snapshots:
    """The files alone are kept: no process, no placeholder, no policy goes into a copy."""

    def __init__(self, database: Database, reach: Reach) -> None:
        self._database = database
        self._reach = reach

    async def create(self, principal: Principal, key: str, comment: str | None, *, request: RequestInfo | None = None) -> SandboxSnapshot:
        """Copy the writable folders."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:snapshot:create", request)
        row: dict[str, Any] = {
            "id": new_id("snp"),
            "tenant_id": sandbox.tenant_id,
            "sandbox_id": sandbox.id,
            "comment": None if comment is None else comment[:_LONGEST_COMMENT],
            "state": "creating",
            "size_bytes": None,
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
        await self._reach.backend.delete_snapshot(snapshot_id)
        async with self._database.begin() as tx:
            await tx.execute(delete(table).where(table.c.id == snapshot_id))

    async def restore(self, principal: Principal, key: str, snapshot_id: str | None, *, request: RequestInfo | None = None) -> Sandbox:
        """A new sandbox with the copied files; without an id from a copy made now (a fork)."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:snapshot:restore", request, wake=False)
        if snapshot_id is None:
            snapshot_id = (await self.create(principal, sandbox.id, "made for a fork", request=request)).id
        found = await self._find(sandbox, snapshot_id)
        if found.state != "ready":
            raise Conflict(f"the snapshot {snapshot_id} is {found.state}", code="SNAPSHOT_NOT_READY", retry=found.state == "creating")
        return await self._reach.sandboxes.create(principal, _like(sandbox, snapshot_id), request=request)

    async def _find(self, sandbox: Sandbox, snapshot_id: str) -> SandboxSnapshot:
        async with self._database.read() as tx:
            query = select(table).where(table.c.id == snapshot_id, table.c.sandbox_id == sandbox.id)
            row = (await tx.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound("no such snapshot of this sandbox")
        return _record(row)

    async def _settle(self, snapshot_id: str, state: str, size: int | None) -> None:
        async with self._database.begin() as tx:
            await tx.execute(update(table).where(table.c.id == snapshot_id).values(state=state, size_bytes=size))


def _like(sandbox: Sandbox, snapshot_id: str) -> CreateSandbox:
    return CreateSandbox(
        template_id=sandbox.template_id,
        size=sandbox.size,
        cpu_count=sandbox.cpu_count,
        memory_mb=sandbox.memory_mb,
        disk_size_mb=sandbox.disk_size_mb,
        timeout_sec=sandbox.timeout_sec,
        idle_timeout_sec=sandbox.idle_timeout_sec,
        persistent=sandbox.persistent,
        always_on=sandbox.always_on,
        env=sandbox.env,
        metadata=sandbox.metadata,
        tags=sandbox.tags,
        workspace_id=sandbox.workspace_id,
        owner_user_id=sandbox.owner_user_id,
        external_workspace_id=sandbox.external_workspace_id,
        external_user_id=sandbox.external_user_id,
        external_project_id=sandbox.external_project_id,
        from_snapshot=snapshot_id,
    )


def _record(row: RowMapping | dict[str, Any]) -> SandboxSnapshot:
    return SandboxSnapshot(**{name: row[name] for name in SandboxSnapshot.__slots__})
