"""uvicorn as a part of this program: one listener on an event loop that is there already, and signals left to `main`."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn


class Embedded:
    """Serves between `start` and `stop`."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve; returns when connections are accepted, raises when they cannot be."""
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({self._task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Answer what is in flight, at most for the time that the configuration gives."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Whoever runs the event loop decides what a signal means."""
        yield
