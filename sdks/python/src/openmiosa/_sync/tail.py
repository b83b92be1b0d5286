# Generated from _async/tail.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Events as they happen: a stream that reconnects and goes on where it was, without gap or duplicate."""

import contextlib
import random
import time
from collections import OrderedDict
from collections.abc import Generator
from types import TracebackType
from typing import Any, Self

import httpx2

from .. import _wire
from ..errors import APIError, ConnectionLostError, MiosaError, NotFoundError, RequestTimeoutError, TransportError, UnexpectedReplyError
from ..models import Event
from .pages import Pages
from .transport import Transport

# The server says something at least every 20 s; after this silence the connection is taken for dead.
SILENCE_SECONDS = 45.0
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
# How many ids are remembered to drop what comes twice around a reconnection.
REMEMBERED = 4096
BEGINNING = "1970-01-01T00:00:00Z"


class Tail:
    """Iterate over it. Entering it as a context manager fixes where it starts, so that nothing is missed before the first step."""

    def __init__(self, transport: Transport, sandbox_id: str | None, after: str | None, reconnect_timeout: float) -> None:
        self._transport = transport
        self._sandbox = sandbox_id
        self._reconnect_timeout = reconnect_timeout
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._placed = after is not None
        self._source = self._run()
        self.last_id = after

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return self._source.__next__()

    def close(self) -> None:
        """End it."""
        self._source.close()

    def __enter__(self) -> Self:
        self._place()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _place(self) -> None:
        """Remember the newest event there is: what comes after it is ours, whenever the stream opens."""
        if not self._placed:
            newest = self._listed(limit=1).first()
            self.last_id = newest.id if newest else None
            self._placed = True

    def _run(self) -> Generator[Event]:
        self._place()
        lost = Outage(self._reconnect_timeout)
        connected = False
        while True:
            try:
                with contextlib.closing(self._connected()) as events:
                    for event in events:
                        if event is None:
                            connected = True
                            lost.over()
                        else:
                            yield event
                wait = lost.wait(ConnectionLostError("the server ended the stream"))
            except NotFoundError:
                if connected:
                    return  # The sandbox is gone, and with it what could still happen.
                raise
            except MiosaError as error:
                wait = lost.wait(error)
            time.sleep(wait)

    def _connected(self) -> Generator[Event | None]:
        """One connection: None once it stands, then what is new."""
        path, types = (
            ("events/stream", "audit") if self._sandbox is None else (_wire.path("sandboxes", self._sandbox, "audit", "stream"), None)
        )
        known = self.last_id
        params = {"after": known, "types": types}
        with self._transport.events("GET", path, params=params, timeout=SILENCE_SECONDS) as frames:
            yield None
            if known is None:
                # There was no event to start after, so all that are there by now are new; the stream is open, none falls between.
                for event in self._listed(since=BEGINNING):
                    if self._is_new(event):
                        yield event
            for frame in frames:
                event_or_none = event_of(frame)
                if event_or_none is not None and self._is_new(event_or_none):
                    yield event_or_none

    def _listed(self, **filters: Any) -> Pages[Event]:
        params = _wire.given(resource_id=self._sandbox, resource_type="sandbox" if self._sandbox else None, **filters)
        return Pages(self._transport, "egress/audit", params, Event.from_json)

    def _is_new(self, event: Event) -> bool:
        if event.id in self._seen:
            return False
        self._seen[event.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self.last_id = event.id
        return True


class Outage:
    """How long to wait before the next connection, and when to give up."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._since: float | None = None
        self._tries = 0

    def over(self) -> None:
        """The connection stands."""
        self._since, self._tries = None, 0

    def wait(self, error: MiosaError) -> float:
        """Seconds until the next try; raises the error when it is final or has lasted too long."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if not may_pass(error) or now - self._since > self._limit:
            raise error
        if isinstance(error, RequestTimeoutError):
            return 0.0
        self._tries += 1
        return random.uniform(0.5, 1.0) * min(FIRST_WAIT * 2.0**self._tries, LONGEST_WAIT)  # noqa: S311


def may_pass(error: MiosaError) -> bool:
    """Whether the same connection may succeed later."""
    if isinstance(error, APIError):
        return error.retry
    return isinstance(error, TransportError) and not isinstance(error, UnexpectedReplyError)


def event_of(frame: httpx2.ServerSentEvent) -> Event | None:
    """The event of a frame; None for what else the stream carries, such as the sandbox's own life."""
    said = _wire.object_of(frame.data)
    if not str(said.get("id", "")).startswith("evt_") or "action" not in said:
        return None
    return Event.from_json(said)
