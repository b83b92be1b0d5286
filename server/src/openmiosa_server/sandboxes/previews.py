"""Previews: a port inside a sandbox, reachable on a port of the server's loopback.

A preview is a plain TCP relay, so that HTTP, WebSocket and anything else work as they are. It listens on 127.0.0.1 and
nowhere else: it asks for no key, as a port of a local container does. Each has an origin of its own (another port).
Previews end with the sandbox or the server.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from ..db.clock import now, rfc3339
from ..db.ids import new_id
from ..errors import Conflict, NotFound, OpenMiosaError
from ..identity import Principal, RequestInfo
from .backends import Stream
from .reach import Reach
from .types import Sandbox

_PER_SANDBOX = 32
_CHUNK = 64 << 10

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Preview:
    """A listening relay."""

    id: str
    sandbox_id: str
    port: int
    url: str
    created_at: datetime
    listener: asyncio.Server = field(repr=False)

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "sandbox_id": self.sandbox_id,
            "url": self.url,
            "port": self.port,
            "state": "ready",
            "created_at": rfc3339(self.created_at),
        }


class Previews:
    """Opens, lists and closes previews."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._open: dict[str, Preview] = {}
        self._relays: set[asyncio.Task[None]] = set()

    async def open(self, principal: Principal, key: str, port: int, *, request: RequestInfo | None = None) -> Preview:
        """Listen for a port of the sandbox; asking again gives the same preview."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:preview:open", request)
        mine = self._of(sandbox.id)
        for known in mine:
            if known.port == port:
                return known
        if len(mine) >= _PER_SANDBOX:
            raise Conflict(f"a sandbox has {_PER_SANDBOX} previews at most: close one first", code="TOO_MANY_PREVIEWS")
        preview_id = new_id("prv")
        accept = partial(self._accept, preview_id)
        listener = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_CHUNK)
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        self._open[preview_id] = Preview(preview_id, sandbox.id, port, url, now(), listener)
        self._reach.sandboxes.lifecycle.tell("sandbox.preview.ready", sandbox, port=port, url=url)
        return self._open[preview_id]

    async def listed(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> list[Preview]:
        """Those of one sandbox, the oldest first."""
        sandbox = await self._reach.into(principal, key, "sandboxes:read", "sandbox:preview:list", request, wake=False)
        return self._of(sandbox.id)

    async def get(self, principal: Principal, key: str, preview_id: str, *, request: RequestInfo | None = None) -> Preview:
        """One of them."""
        sandbox = await self._reach.into(principal, key, "sandboxes:read", "sandbox:preview:get", request, wake=False)
        return self._find(sandbox, preview_id)

    async def close(self, principal: Principal, key: str, preview_id: str, *, request: RequestInfo | None = None) -> None:
        """Stop listening and end its connections."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:preview:close", request, wake=False)
        self._drop(self._find(sandbox, preview_id).id)

    def close_sandbox(self, sandbox_id: str) -> None:
        """Close what was open for a sandbox that ended."""
        for preview in self._of(sandbox_id):
            self._drop(preview.id)

    async def aclose(self) -> None:
        """Close all, with their connections."""
        for preview_id in list(self._open):
            self._drop(preview_id)
        for relay in list(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    def _of(self, sandbox_id: str) -> list[Preview]:
        return [preview for preview in self._open.values() if preview.sandbox_id == sandbox_id]

    def _find(self, sandbox: Sandbox, preview_id: str) -> Preview:
        found = self._open.get(preview_id)
        if found is None or found.sandbox_id != sandbox.id:
            raise NotFound("this sandbox has no such preview; it may be closed: open it again")
        return found

    def _drop(self, preview_id: str) -> None:
        preview = self._open.pop(preview_id, None)
        if preview is not None:
            preview.listener.close()
            for relay in [task for task in self._relays if task.get_name() == preview_id]:
                relay.cancel()

    async def _accept(self, preview_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(preview_id)
        self._relays.add(task)
        try:
            await self._serve(preview_id, reader, writer)
        except asyncio.CancelledError:
            pass  # the preview was closed; its connections end with it
        finally:
            self._relays.discard(task)
            writer.close()

    async def _serve(self, preview_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        preview = self._open.get(preview_id)
        if preview is None:
            return
        activity = self._reach.sandboxes.activity
        try:
            with activity.use(preview.sandbox_id):
                async with self._reach.backend.connect(preview.sandbox_id, preview.port) as inside:
                    await _relay(reader, writer, inside)
        except NotFound:
            self.close_sandbox(preview.sandbox_id)
        except (OpenMiosaError, OSError) as error:
            # Nobody listens inside: the person sees the connection close, as on a bare machine.
            log.info("preview_refused", sandbox=preview.sandbox_id, port=preview.port, reason=str(error))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inside: Stream) -> None:
    """Copy both ways until the inside ends, or the outside does and the inside has nothing more to say."""

    async def out() -> None:
        while data := await inside.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def into() -> None:
        while data := await reader.read(_CHUNK):
            await inside.write(data)

    sending = asyncio.create_task(into())
    try:
        await out()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
