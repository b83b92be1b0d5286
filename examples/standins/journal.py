"""What the stand-ins saw: one entry per request, in the order of arrival, with the credential it carried."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Entry:
    """One request. `credential` is a label, never a value."""

    number: int
    at: float
    host: str
    method: str
    path: str
    client: str
    credential: str = "none"
    status: int = 0
    error: str | None = None
    complete: bool = False


@dataclass
class Journal:
    """All entries since the start, in order."""

    entries: list[Entry] = field(default_factory=list)

    def open(self, scope: Scope, host: str) -> Entry:
        """Begin the entry of a request that has just arrived."""
        headers = dict(scope["headers"])
        client = headers.get(b"user-agent", b"").decode("latin-1")
        entry = Entry(len(self.entries) + 1, time.time(), host, scope["method"], scope["path"], client)
        self.entries.append(entry)
        return entry

    def failures(self) -> list[Entry]:
        """Requests answered with 4xx, 5xx or an OAuth error; a device flow that still waits is none."""
        return [e for e in self.entries if e.status >= 400 or e.error not in (None, "authorization_pending")]

    def as_json(self) -> dict[str, Any]:
        """The whole journal for the control endpoint."""
        return {"entries": [asdict(e) for e in self.entries], "failures": len(self.failures())}


class Recorded:
    """ASGI wrapper that opens an entry before the application runs and completes it as the answer leaves."""

    def __init__(self, app: ASGIApp, host: str, journal: Journal) -> None:
        self.app, self.host, self.journal = app, host, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = self.journal.open(scope, self.host)
        scope["journal_entry"] = entry

        async def recording_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                entry.complete = True

        await self.app(scope, receive, recording_send)
