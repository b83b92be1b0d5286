"""What nobody asks for and must happen: taking up sandboxes after a restart, ending those whose time is over."""

import asyncio
from collections.abc import Awaitable

import structlog
from sqlalchemy import update

from ..db.clock import now
from ..db.engine import Database
from ..db.tables import sandbox_snapshots
from ..errors import OpenMiosaError
from . import store
from .backends import Backend
from .service import Sandboxes
from .snapshots import Snapshots
from .types import Sandbox

_EVERY = 2.0  # seconds between two looks; a lost sandbox is noticed at its next use anyway

log = structlog.get_logger(__name__)


class Housekeeping:
    """One loop: compare what the database says with what the runtime has, and look at the clock."""

    def __init__(self, database: Database, sandboxes: Sandboxes, backend: Backend, snapshots: Snapshots) -> None:
        self._database = database
        self._sandboxes = sandboxes
        self._snapshots = snapshots
        self._backend = backend
        self._task: asyncio.Task[None] | None = None
        self.adopted = asyncio.Event()  # the runtime was heard and its sandboxes were taken up

    async def start(self) -> None:
        """Write off what a stopped server left half done, then begin to look."""
        async with self._database.begin() as tx:
            for sandbox in await store.in_states(tx, ("provisioning",)):
                await store.change(tx, sandbox.id, state="error", state_reason="the server stopped while it was being created")
            half_made = sandbox_snapshots.c.state == "creating"
            await tx.execute(update(sandbox_snapshots).where(half_made).values(state="failed"))
        self._task = asyncio.create_task(self._run(), name="sandbox-housekeeping")

    async def stop(self) -> None:
        """End the loop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        said = False
        while True:
            try:
                await self.reconcile()
                self.adopted.set()
                await self.expire()
                await self._snapshots.expire()
            except OpenMiosaError as error:
                if self.adopted.is_set() or not said:
                    said = True
                    log.warning("runtime_away", reason=error.message)
                self.adopted.clear()
            except Exception:
                log.exception("housekeeping_failed")
            await asyncio.sleep(_EVERY)

    async def reconcile(self) -> None:
        """Delete what the runtime should not have, start what it should have, align pauses."""
        async with self._database.read() as tx:
            wanted = {sandbox.id: sandbox for sandbox in await store.in_states(tx, ("provisioning", "running", "paused"))}
        # Read after the rows: a sandbox that is created meanwhile is in neither, or only in the runtime.
        there = {found["id"]: found["state"] for found in await self._backend.living()}
        for sandbox_id in there.keys() - wanted.keys():
            await self._delete_stray(sandbox_id)
        for sandbox in wanted.values():
            if sandbox.state == "running" and sandbox.id not in there:
                await self._guarded(sandbox, self._sandboxes.restart(sandbox))
            elif sandbox.state == "running" and there[sandbox.id] == "paused":
                await self._guarded(sandbox, self._sandboxes.unfreeze(sandbox))

    async def expire(self) -> None:
        """Pause what is persistent, destroy what is not, when its time or its idle time is over."""
        async with self._database.read() as tx:
            running = await store.in_states(tx, ("running",))
        for sandbox in running:
            if reason := self._overdue(sandbox):
                log.info("sandbox_expired", sandbox=sandbox.id, reason=reason)
                self._sandboxes.lifecycle.tell("sandbox.idle" if reason.startswith("idle") else "sandbox.timeout", sandbox, reason=reason)
                end = self._sandboxes.pause_found(sandbox) if sandbox.persistent else self._sandboxes.destroy_found(sandbox, reason)
                await self._guarded(sandbox, end)

    def _overdue(self, sandbox: Sandbox) -> str | None:
        if sandbox.always_on:
            return None
        if sandbox.deadline is not None and sandbox.deadline <= now():
            return f"its {sandbox.timeout_sec} s are over"
        idle = self._sandboxes.activity.idle_for(sandbox.id)
        if sandbox.idle_timeout_sec is not None and idle >= sandbox.idle_timeout_sec:
            return f"idle for {sandbox.idle_timeout_sec} s"
        return None

    async def _delete_stray(self, sandbox_id: str) -> None:
        async with self._database.read() as tx:
            row = await store.by_id(tx, sandbox_id)
        if row is not None and row.lives:
            return
        log.warning("stray_sandbox_deleted", sandbox=sandbox_id)
        await self._backend.delete(sandbox_id)

    async def _guarded(self, sandbox: Sandbox, step: Awaitable[object]) -> None:
        try:
            await step
        except OpenMiosaError as error:
            log.warning("housekeeping_step_failed", sandbox=sandbox.id, reason=error.message)
