"""Server-sent events, framed so that every published client's parser reads them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog
from starlette.responses import StreamingResponse

from ..errors import OpenMiosaError
from .answers import dump

HEARTBEAT = 15.0  # seconds; the Python client gives up after 60 of silence

log = structlog.get_logger(__name__)


def frame(content: dict[str, Any], *, event: str | None = None, event_id: str | None = None) -> str:
    """One event: a single `data:` line of ASCII JSON, the type inside it and beside it, a blank line at the end."""
    head = (f"event: {event}\n" if event else "") + (f"id: {event_id}\n" if event_id else "")
    return f"{head}data: {dump(content)}\n\n"


def stream(frames: AsyncIterator[str]) -> StreamingResponse:
    """The response: 200 at once, a comment line whenever nothing was said for a while."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(beating(frames), media_type="text/event-stream", headers=headers)


async def beating(frames: AsyncIterator[str], interval: float = HEARTBEAT) -> AsyncIterator[str]:
    """The frames, with heartbeats between them; an error ends the stream with a frame that says why."""
    queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=64)

    async def pump() -> None:
        try:
            async for text in frames:
                await queue.put(text)
        except OpenMiosaError as error:
            said = {"type": "error", "code": error.code, "message": error.message, "retry": error.retry}
            await queue.put(frame(said, event="error"))
        except Exception:
            log.exception("stream_failed")
            await queue.put(frame({"type": "error", "code": "INTERNAL", "message": "the stream broke; open it again"}, event="error"))
        finally:
            await _close(frames)
        await queue.put(None)

    task = asyncio.create_task(pump())
    try:
        # The first byte goes out at once, so that a client knows that it is connected.
        yield ": open\n\n"
        while True:
            try:
                text = await asyncio.wait_for(queue.get(), interval)
            except TimeoutError:
                yield ": hb\n\n"
                continue
            if text is None:
                return
            yield text
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _close(frames: AsyncIterator[str]) -> None:
    close = getattr(frames, "aclose", None)
    if close is not None:
        await close()
