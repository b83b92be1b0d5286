"""A command with its standard streams, or a whole terminal, over a WebSocket."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from .. import _wire
from ..errors import ConnectionLostError
from ..models import TerminalOutput
from .exec import Command
from .transport import AsyncTransport


class AsyncShell:
    """Opens terminals in one sandbox: `async with sandbox.shell() as terminal`."""

    def __init__(self, transport: AsyncTransport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    @contextlib.asynccontextmanager
    async def __call__(
        self,
        command: Command | None = None,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        rows: int = 24,
        cols: int = 80,
        tty: bool = True,
    ) -> AsyncIterator["AsyncTerminal"]:
        """Start a command (a shell when none is given) and talk to it; it is hung up at the end of the block.

        A string goes to a shell, a list is run as it is. Without `tty` it has pipes, and stdout and stderr are told apart.
        """
        from httpx2.websockets import WebSocketUpgradeError

        line, argv = (command, ()) if command is None or isinstance(command, str) else (None, command)
        asked = _wire.query({"command": line, "cwd": cwd, "rows": rows, "cols": cols, "tty": tty})
        several = (*(("argv", str(part)) for part in argv), *(("env", f"{name}={value}") for name, value in (env or {}).items()))
        params = (*asked.items(), *several)
        path = _wire.path("sandboxes", self._sandbox, "terminal", "stream")
        failed: Exception | None = None
        try:
            with _wire.own_errors(self._transport.base_url):
                async with self._transport.websocket(path, params) as socket:
                    # What the caller raises must not pass through the library's task group, which would wrap it.
                    try:
                        yield AsyncTerminal(socket, tty)
                    except Exception as error:
                        failed = error
        except WebSocketUpgradeError as error:
            # A refused upgrade has no body to read; this call is refused for the same reason and says which.
            await self._transport.request("GET", _wire.path("sandboxes", self._sandbox))
            raise _wire.failure(error.response) from error
        if failed is not None:
            raise failed


class AsyncTerminal:
    """A running command: send it bytes, iterate over what it writes; `exit_code` is set once it has ended.

    `lost` counts bytes of its output that came faster than they were read and that the server could not keep.
    """

    def __init__(self, socket: Any, tty: bool) -> None:
        self._socket = socket
        self._tty = tty
        self.exit_code: int | None = None
        self.lost = 0

    async def send(self, data: str | bytes) -> None:
        """Type into it."""
        await self._socket.send_bytes(data.encode() if isinstance(data, str) else data)

    async def resize(self, rows: int, cols: int) -> None:
        """Tell it the size of the window."""
        await self._socket.send_text(json.dumps({"type": "resize", "rows": rows, "cols": cols}))

    async def send_signal(self, signal: str) -> None:
        """Send a signal by name, such as SIGINT."""
        await self._socket.send_text(json.dumps({"type": "signal", "signal": signal}))

    async def close_stdin(self) -> None:
        """Say that nothing more will be typed."""
        await self._socket.send_text(json.dumps({"type": "stdin_close"}))

    async def __aiter__(self) -> AsyncIterator[TerminalOutput]:
        while self.exit_code is None:
            output = self._read(await self._message())
            if output is not None:
                yield output

    async def wait(self) -> int:
        """Let it run to its end, dropping what it writes; its exit code."""
        async for _ in self:
            pass
        return self.exit_code or 0

    async def _message(self) -> str | bytes:
        from httpx2.websockets import HTTPXWSException, WebSocketDisconnect

        try:
            message: str | bytes = (await self._socket.receive()).data
            return message
        except WebSocketDisconnect as error:
            said = error.reason or f"code {error.code}"
            raise ConnectionLostError(f"the terminal was closed before the command ended: {said}") from error
        except HTTPXWSException as error:
            raise ConnectionLostError("the connection of the terminal broke; the command may still be running") from error

    def _read(self, message: str | bytes) -> TerminalOutput | None:
        if isinstance(message, str):
            said = json.loads(message)
            if said.get("type") == "exit":
                self.exit_code = int(said.get("exit_code") or 0)
            elif said.get("type") == "gap":
                self.lost += int(said.get("to") or 0) - int(said.get("from") or 0)
            return None
        message = bytes(message)
        if self._tty:
            return TerminalOutput("stdout", message)
        return TerminalOutput("stderr" if message[:1] == b"\x02" else "stdout", message[1:])
