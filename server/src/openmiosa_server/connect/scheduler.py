"""In the background: refresh ahead of expiry, ask device endpoints, end flows that nobody finished."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..errors import OpenMiosaError
from . import rows
from .protocol import Pending, Trouble
from .service import Connect

_EVERY = 0.5  # seconds; the shortest lifetimes met are 15 s, refreshed 3 s ahead
_KEEP_FLOWS = timedelta(days=7)

log = structlog.get_logger(__name__)


class Scheduler:
    """One loop over three lists; each entry is worked on by a task of its own, so that one slow provider delays nobody."""

    def __init__(self, database: Database, connect: Connect) -> None:
        self._database = database
        self._connect = connect
        self._task: asyncio.Task[None] | None = None
        self._working: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self._swept = 0.0

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="connect-scheduler")

    async def stop(self) -> None:
        """End the loop; calls in flight are let end, since a rotated token exists only in their answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._working.values(), return_exceptions=True)
        await self._connect.refresher.settle()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:
                log.exception("connect_scheduler_failed")
            await asyncio.sleep(_EVERY)

    async def _look(self) -> None:
        async with self._database.read() as tx:
            due = await rows.due(tx)
            devices = await rows.device_flows(tx)
            overdue = await rows.overdue_flows(tx)
        for secret_id in due:
            self._work(secret_id, self._refresh(secret_id))
        for flow in devices:
            self._not_before.setdefault(flow["state_hash"], time.monotonic() + float(flow["request"].get("interval") or 5.0))
            if time.monotonic() >= self._not_before[flow["state_hash"]]:
                self._work(flow["state_hash"], self._poll(flow))
        for flow in overdue:
            await self._connect.ledger.failed(flow, "expired", "expired", "nobody consented in time; start again")
        if time.monotonic() - self._swept > 3600:
            self._swept = time.monotonic()
            async with self._database.begin() as tx:
                await rows.forget_old_flows(tx, now() - _KEEP_FLOWS)

    def _work(self, key: str, step: Coroutine[Any, Any, None]) -> None:
        if key in self._working:
            step.close()
            return
        task = asyncio.create_task(step)
        self._working[key] = task
        task.add_done_callback(lambda done: self._working.pop(key, None))

    async def _refresh(self, secret_id: str) -> None:
        try:
            async with self._database.read() as tx:
                secret = await rows.secret_row(tx, secret_id)
            if secret is not None:
                await self._connect.refresher.refresh(secret_id, int(secret["version"]))
        except OpenMiosaError as error:
            log.warning("token_refresh_failed", secret=secret_id, reason=error.message)

    async def _poll(self, flow: RowMapping) -> None:
        pause = float(flow["request"].get("interval") or 5.0)
        try:
            await self._connect.finish_device(flow)
        except Pending as pending:
            pause += 5.0 if pending.slower else 0.0
        except Trouble as trouble:
            log.warning("device_flow_trouble", provider=flow["provider"], reason=trouble.message)
            pause += trouble.retry_after or 5.0
        self._not_before[flow["state_hash"]] = time.monotonic() + pause
