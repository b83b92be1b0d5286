"""An answer that takes long: plain JSON while the work is quick; else headers early and blanks until it is done.

Blanks before a JSON value are JSON, and keep the published clients (30 s to the headers, 60 s between bytes) waiting.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import OpenMiosaError
from .answers import dump, failure
from .failures import known

QUICK = 5.0  # seconds in which a failure can still have a status of its own
PAD_EVERY = 10.0

Remember = Callable[[bytes | None], Awaitable[None]]

log = structlog.get_logger(__name__)


class Padded(Response):
    """Runs the work, and cancels it when the client goes away."""

    def __init__(self, work: Coroutine[Any, Any, dict[str, Any]]) -> None:
        self._work = work
        self.remember: Remember | None = None
        self.background = None
        self.status_code = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        work = asyncio.ensure_future(self._work)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((work, gone), timeout=QUICK, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await _plain(work, scope, receive, send)
            elif not gone.done():
                await self._pad(work, gone, send)
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
            await asyncio.shield(self._remembered(work))

    async def _remembered(self, work: asyncio.Future[dict[str, Any]]) -> None:
        """Tell whoever replays answers what came of it; work that was cut off or failed may be asked for again."""
        if self.remember is not None:
            done = work.done() and not work.cancelled() and work.exception() is None
            await self.remember(dump(work.result()).encode() if done else None)

    async def _pad(self, work: asyncio.Future[dict[str, Any]], gone: asyncio.Future[None], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        while not work.done():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.wait((work, gone), timeout=PAD_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and not work.done():
                return
        await send({"type": "http.response.body", "body": _late(work).encode(), "more_body": False})


async def _plain(work: asyncio.Future[dict[str, Any]], scope: Scope, receive: Receive, send: Send) -> None:
    error = work.exception()
    if error is None:
        response = Response(dump(work.result()), media_type="application/json")
    else:
        response = failure(known(error), scope.get("request_id"))
    await response(scope, receive, send)


def _late(work: asyncio.Future[dict[str, Any]]) -> str:
    error = work.exception()
    if error is None:
        return dump(work.result())
    # The status is 200 by now, so the failure must be one that every client sees: an exit code that is no success.
    said: OpenMiosaError = known(error)
    failed = {"stdout": "", "stderr": f"{said.code}: {said.message}\n", "exit_code": 255, "duration_ms": 0}
    return dump({"data": {**failed, "error": {"code": said.code, "message": said.message, "retry": said.retry}}})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
