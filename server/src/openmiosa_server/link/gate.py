"""A gate that many publishes pass at once and a resync passes alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Gate:
    """Shared for publishes, exclusive for a resync; a waiting resync goes before later publishes."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._inside = 0
        self._alone = False
        self._waiting = 0

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Pass with others."""
        await self._until(lambda: not self._alone and not self._waiting)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._tell()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Pass alone."""
        self._waiting += 1
        try:
            await self._until(lambda: not self._alone and not self._inside)
            self._alone = True
        finally:
            self._waiting -= 1
            self._tell()
        try:
            yield
        finally:
            self._alone = False
            self._tell()

    async def _until(self, free: Callable[[], bool]) -> None:
        while not free():
            await self._changed.wait()

    def _tell(self) -> None:
        """Wake everyone who waits; never awaits, so that a cancelled passer cannot leave the gate shut."""
        self._changed.set()
        self._changed = asyncio.Event()
