"""The outbound calls of a run: lines as they happen, and a table at the end."""

import contextlib
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .._sync.client import Miosa
from .._sync.sandboxes import Sandbox
from .._sync.tail import Tail
from ..models import Event
from . import audit, output
from .context import Place
from .screen import Screen, coloured

# Calls of the command's last moments are still on their way to the store.
SETTLE_SECONDS = 0.2


@dataclass(slots=True)
class Calls:
    """What one host was called for."""

    host: str
    calls: int = 0
    refused: int = 0
    failed: int = 0
    secrets: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        known = {"host": self.host, "calls": self.calls, "refused": self.refused, "failed": self.failed}
        return {**known, "secrets": sorted(self.secrets), "reasons": sorted(self.reasons)}


class Beneath:
    """Follows a sandbox's events with a connection of its own, while the command has the other."""

    def __init__(self, place: Place, sandbox_id: str, screen: Screen, *, live: bool) -> None:
        self._place = place
        self._sandbox = sandbox_id
        self._screen = screen
        self._live = live
        self._lock = threading.Lock()
        self._seen: dict[str, Event] = {}
        self._placed = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Begin; returns when no later call can be missed."""
        self._thread.start()
        self._placed.wait(10)

    def finish(self, sandbox: Sandbox) -> list[Event]:
        """All calls there were, in order; those that no line said yet are said."""
        self._thread.join(SETTLE_SECONDS)
        for event in sandbox.audit.list(since="1970-01-01T00:00:00Z", limit=1000):
            self._take(event)
        with self._lock:
            return sorted(self._seen.values(), key=lambda event: event.number or 0)

    def _follow(self) -> None:
        # The server may go away under it; what the store has is listed at the end.
        with contextlib.suppress(Exception), Miosa(self._place.api_key, self._place.base_url) as api, self._tail(api) as tail:
            self._placed.set()
            for event in tail:
                self._take(event)
        self._placed.set()

    def _tail(self, api: Miosa) -> Tail:
        return api.sandboxes.get(self._sandbox).audit.tail()

    def _take(self, event: Event) -> None:
        with self._lock:
            new = event.id not in self._seen
            self._seen[event.id] = event
            if new and self._live:
                self._screen.line(audit.line(event, colour=coloured(sys.stderr)))


def by_host(events: Iterable[Event]) -> list[Calls]:
    """Events, summed up by host, the most called first."""
    found: dict[str, Calls] = {}
    for event in events:
        one = found.setdefault(event.host, Calls(event.host))
        one.calls += 1
        one.secrets.update(event.swapped)
        if event.action == "reject":
            one.refused += 1
        elif event.action in ("error", "client_cancel"):
            one.failed += 1
        if event.action != "allow" and event.reason:
            one.reasons.add(event.reason)
    return sorted(found.values(), key=lambda one: (-one.calls, one.host))


def summary(events: list[Event]) -> None:
    """The table, on standard error; what the command wrote stays alone on standard output."""
    if not events:
        print("No outbound calls.", file=sys.stderr)
        return
    heads = ["host", "calls", "secrets swapped", "refused", "failed", "why"]
    cells = [
        (one.host, one.calls, sorted(one.secrets), one.refused or "-", one.failed or "-", sorted(one.reasons)) for one in by_host(events)
    ]
    output.table(cells, heads, sys.stderr)
