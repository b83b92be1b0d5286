"""Terminals that were made before anybody looks at them: a shell that waits for its socket, and ends when it is deleted."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..db.clock import now, rfc3339
from ..errors import Conflict, NotFound
from ..identity import Principal, RequestInfo
from .backends import Pty
from .execution import Execution, Running
from .types import Command

_MOST = 64  # of one sandbox
_NAMED = "terminal:"  # what the runtime calls them, so that a server that was started again knows them


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell at a terminal."""

    running: Running
    size: Pty
    created_at: datetime

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        socket = f"/sandboxes/{self.running.sandbox.id}/terminal/{self.running.id}/stream"
        return {
            "id": self.running.id,
            "session_id": self.running.id,
            "sandbox_id": self.running.sandbox.id,
            "pid": str(self.running.process["pid"]),
            "rows": self.size.rows,
            "cols": self.size.cols,
            "socket": socket,
            "created_at": rfc3339(self.created_at),
        }


class Terminals:
    """Made, found again by id, ended. The runtime keeps them, so they outlive a restart of the server."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    async def create(self, principal: Principal, key: str, command: Command, size: Pty, *, request: RequestInfo | None = None) -> Terminal:
        """Start the shell; what it says waits for who opens its socket."""
        sandbox = await self._execution.look(principal, key, "sandbox:terminal:create", request, scope="sandboxes:write")
        started = [running for running in await self._execution.all_of(sandbox) if running.process["state"] == "running"]
        if sum(map(_is_terminal, started)) >= _MOST:
            raise Conflict(f"a sandbox has {_MOST} terminals at most: delete one first", code="TOO_MANY_TERMINALS")
        named = replace(command, name=_NAMED + (command.name or "shell"))
        running = await self._execution.start(principal, key, named, pty=size, stdin=True, request=request)
        return Terminal(running, size, now())

    async def find(self, principal: Principal, key: str, terminal_id: str, *, request: RequestInfo | None = None) -> Running:
        """One that was made here."""
        running = await self._execution.process(principal, key, terminal_id, scope="sandboxes:write", request=request)
        if not _is_terminal(running):
            raise NotFound("no such terminal of this sandbox")
        return running

    async def delete(self, principal: Principal, key: str, terminal_id: str, *, request: RequestInfo | None = None) -> None:
        """Hang up: the shell and what it runs end."""
        running = await self.find(principal, key, terminal_id, request=request)
        if running.process["state"] == "running":
            await self._execution.signal(running, "HUP")
            await self._execution.stop(running)


def _is_terminal(running: Running) -> bool:
    return str(running.process.get("name") or "").startswith(_NAMED)
