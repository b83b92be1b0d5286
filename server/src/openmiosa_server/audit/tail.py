"""Live tails: what was just committed, to everyone who watches, without gaps and without repeats.

A tail has a bounded buffer. One that falls behind loses the buffer, not events: it reads on from the
database after the last event it gave out, until it has caught up. The writer never waits for a reader.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from sqlalchemy import ColumnElement

from ..db.engine import Database
from . import query
from .types import Event

BUFFER = 1000  # events of one tail
_BATCH = 200

Wants = Callable[[Event], bool]


class Tails:
    """The fan-out: `publish` after a commit, `follow` for each watcher."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: set[_Watcher] = set()
        self._closed = False

    def publish(self, made: Iterable[Event]) -> None:
        """Hand committed events out, in order; never waits."""
        for event in made:
            for watcher in self._watchers:
                watcher.offer(event)

    def close(self) -> None:
        """End every tail, so that a server that drains is not held by its watchers."""
        self._closed = True
        for watcher in self._watchers:
            watcher.wake()

    async def follow(self, wants: Wants, conditions: Sequence[ColumnElement[bool]], last: int) -> AsyncIterator[Event]:
        """Events after the number `last` that `wants` and `conditions`, which say the same, let through."""
        watcher = _Watcher(wants)
        self._watchers.add(watcher)  # before the database is read, so that nothing falls between
        try:
            behind = True
            while not self._closed:
                if behind or watcher.take_overflow():
                    async with self._database.read() as tx:
                        missed = await query.following(tx, conditions, last, _BATCH)
                    for event in missed:
                        last = event["number"]
                        yield event
                    behind = len(missed) == _BATCH
                    continue
                for event in await watcher.take():
                    if event["number"] > last:
                        last = event["number"]
                        yield event
        finally:
            self._watchers.discard(watcher)


class _Watcher:
    """One tail's buffer."""

    def __init__(self, wants: Wants) -> None:
        self._wants = wants
        self._buffer: deque[Event] = deque()
        self._overflowed = False
        self._ready = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Take an event in, or note that there were too many."""
        if self._overflowed or not self._wants(event):
            return
        if len(self._buffer) >= BUFFER:
            self._buffer.clear()
            self._overflowed = True
        else:
            self._buffer.append(event)
        self._ready.set()

    def wake(self) -> None:
        """Let `take` return."""
        self._ready.set()

    def take_overflow(self) -> bool:
        """Whether events were lost from the buffer since last asked; asking starts a new buffer."""
        overflowed, self._overflowed = self._overflowed, False
        return overflowed

    async def take(self) -> list[Event]:
        """What is there, or as soon as something is; empty when woken for another reason."""
        if not self._buffer and not self._overflowed:
            self._ready.clear()
            await self._ready.wait()
        taken = list(self._buffer)
        self._buffer.clear()
        return taken
