# Generated from _async/exec.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Commands in a sandbox: run to the end, streamed, or in the background."""

import builtins
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2

from .. import _envelope, _wire
from ..errors import ConnectionLostError, WaitTimeoutError
from ..models import ExecResult, OutputEvent, Process
from .transport import SILENCE_SECONDS, Transport

Command = str | Sequence[str]


class Exec:
    """Runs commands; call it, or use `run` and `stream`."""

    def __init__(self, transport: Transport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    def __call__(
        self,
        command: Command,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (the limit is the command's, kept by the server)
        stdin: str | None = None,
    ) -> ExecResult:
        """Run a command to its end. A string goes to a shell, a list is run as it is; a non-zero exit is a result, not an error."""
        body = request_body(command, cwd=cwd, env=env, timeout=timeout, stdin=stdin)
        path = _wire.path("sandboxes", self._sandbox, "exec")
        # Answers of commands are not remembered for a repeat, so it is not repeated once it may have started.
        reply = self._transport.request("POST", path, json=body, timeout=SILENCE_SECONDS, repeatable=False)
        record = _envelope.one(reply)
        if isinstance(record.get("error"), Mapping):
            # What went wrong after the status was sent stands beside a result that is none.
            raise _wire.said_in_stream(json.dumps(record))
        return ExecResult.from_json(record)

    def run(self, command: Command, **options: Any) -> ExecResult:
        """The same as calling it."""
        return self(command, **options)

    def stream(
        self,
        command: Command,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        stdin: str | None = None,
    ) -> Iterator[OutputEvent]:
        """Run a command and yield its output as it comes; the last event is its exit."""
        body = request_body(command, cwd=cwd, env=env, timeout=timeout, stdin=stdin)
        path = _wire.path("sandboxes", self._sandbox, "exec", "stream")
        with self._transport.events("POST", path, json=body, timeout=SILENCE_SECONDS) as frames:
            for frame in frames:
                event = output_event(frame)
                if event is not None:
                    yield event
                    if event.type == "exit":
                        return
        raise ConnectionLostError("the stream ended before the command did; it may still be running")


class Processes:
    """Processes in the background of a sandbox."""

    def __init__(self, transport: Transport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    def start(
        self, command: Command, *, cwd: str | None = None, env: Mapping[str, str] | None = None, name: str | None = None
    ) -> Process:
        """Start a command and return at once."""
        body = request_body(command, cwd=cwd, env=env, name=name)
        # A failure of the server may come after the start; a second start would be a second process.
        reply = self._transport.request("POST", self._path(), json=body, after_failure=False)
        return Process.from_json(_envelope.one(reply))

    def list(self) -> builtins.list[Process]:
        """All of them, ended ones too while they are remembered."""
        return [Process.from_json(item) for item in _envelope.many(self._transport.request("GET", self._path()))]

    def get(self, pid: int) -> Process:
        """One of them."""
        return Process.from_json(_envelope.one(self._transport.request("GET", self._path(str(pid)))))

    def stop(self, pid: int) -> None:
        """End one: TERM, and KILL when it does not go."""
        self._transport.request("DELETE", self._path(str(pid)))

    def logs(self, pid: int, *, tail: int = 200) -> str:
        """The last lines of its output."""
        reply = self._transport.request("GET", self._path(str(pid), "logs"), params={"tail": tail})
        if isinstance(reply, Mapping):
            return str(reply.get("data", reply.get("logs", "")))
        return "" if reply is None else str(reply)

    def stream(self, pid: int) -> Iterator[str]:
        """Its output line by line, until it ends."""
        with self._transport.events("GET", self._path(str(pid), "stream"), timeout=SILENCE_SECONDS) as frames:
            for frame in frames:
                said = _wire.object_of(frame.data)
                if "line" in said:
                    yield str(said["line"])

    def wait(self, pid: int, timeout: float = 300.0) -> Process:  # noqa: ASYNC109
        """Return when it has ended."""
        deadline = time.monotonic() + timeout
        while True:
            process = self.get(pid)
            if process.exit_code is not None:
                return process
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"process {pid} was still running after {timeout:g} s")
            time.sleep(0.1)

    def _path(self, *more: str) -> str:
        return _wire.path("sandboxes", self._sandbox, "processes", *more)


def request_body(command: Command, **options: Any) -> dict[str, Any]:
    """The body of an exec: a shell's command line, or an argument list."""
    if isinstance(command, str):
        return {"command": command, **_wire.given(**options)}
    return {"argv": [str(part) for part in command], **_wire.given(**options)}


def output_event(frame: httpx2.ServerSentEvent) -> OutputEvent | None:
    """A frame of the stream as an event; None for what is neither output nor the end."""
    said = _wire.object_of(frame.data)
    kind = said.get("type") or frame.event
    if kind == "exit":
        return OutputEvent("exit", exit_code=int(said.get("exit_code") or 0))
    if kind not in ("stdout", "stderr"):
        return None
    # A line has lost its line end, unless it is a part of one.
    text = str(said.get("line", "")) + ("" if said.get("partial") or "gap" in said else "\n")
    return OutputEvent("stderr" if kind == "stderr" else "stdout", text)
