"""Commands in a sandbox: run to the end, streamed, in the background, or at a terminal."""

import asyncio
import math
import signal as signals
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import Invalid, NotFound, OpenMiosaError
from ..identity import Principal, RequestInfo
from .backends import Launch, Output, Pty
from .backends.local import NotRunning
from .lifecycle import Lifecycle
from .reach import Reach
from .types import Command, Sandbox

_LONGEST = 7 * 86400.0  # a week; longer work belongs in a background process
_GRACE = 5.0  # between TERM and KILL


@dataclass(slots=True)
class Result:
    """What a finished command said and how it ended."""

    exit_code: int = 0
    signal: int | None = None
    timed_out: bool = False
    duration_ms: int = 0
    truncated: bool = False
    output: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        out, err = (bytes(self.output[name]).decode(errors="replace") for name in ("stdout", "stderr"))
        return {
            "stdout": out,
            "stderr": err,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "timed_out": self.timed_out,
            "duration_ms": self.duration_ms,
            "truncated": self.truncated,
        }


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started, and where."""

    sandbox: Sandbox
    process: dict[str, Any]

    @property
    def id(self) -> str:
        """The runtime's id of the process."""
        return str(self.process["process"])


class Execution:
    """Starts processes and follows them."""

    def __init__(self, reach: Reach, *, max_output_bytes: int) -> None:
        self._reach = reach
        self._backend = reach.backend
        self._limit = max_output_bytes
        self._shells: dict[str, str] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def start(
        self,
        principal: Principal,
        key: str,
        command: Command,
        *,
        pty: Pty | None = None,
        stdin: bool = False,
        request: RequestInfo | None = None,
    ) -> Running:
        """Start a command and return at once."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:process:start", request)
        launch = Launch(
            argv=await self._argv(sandbox, command),
            env=await self._reach.sandboxes.environment(sandbox, command.env),
            cwd=command.cwd,
            stdin=stdin or command.stdin is not None,
            pty=pty,
            timeout_ms=_milliseconds(command.timeout),
            name=command.name,
        )
        process = await self._reach.do(sandbox, lambda: self._backend.launch(sandbox.id, launch))
        running = Running(sandbox, process)
        if command.stdin is not None:
            await self._feed(running, command.stdin.encode())
        self._tell(running)
        return running

    async def wait(self, running: Running) -> Result:
        """Follow it to its end and collect what it said, up to the limit; being cancelled kills it."""
        result = Result()
        async with self.follow(running) as output:
            async for chunk in output:
                self._take(result, chunk)
        return result

    @asynccontextmanager
    async def follow(self, running: Running, *, kill: bool = True) -> AsyncIterator[AsyncIterator[Output]]:
        """Its output; leaving before the end kills the process group, so that nobody pays for what nobody reads."""
        with self._reach.sandboxes.activity.use(running.sandbox.id):
            output = self._backend.output(running.sandbox.id, running.id, follow=True)
            ended = False

            async def watched() -> AsyncIterator[Output]:
                nonlocal ended
                async for chunk in output:
                    ended = ended or "exit" in chunk
                    yield chunk

            try:
                yield watched()
            finally:
                if kill and not ended:
                    await asyncio.shield(self._kill(running))

    async def processes(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> list[Running]:
        """What was started in the sandbox, oldest first."""
        sandbox = await self._reach.into(principal, key, "sandboxes:read", "sandbox:process:list", request, wake=False)
        found = await self._reach.do(sandbox, lambda: self._backend.processes(sandbox.id))
        return [Running(sandbox, process) for process in sorted(found, key=lambda process: process["started_at"])]

    async def process(
        self, principal: Principal, key: str, wanted: str, *, scope: str = "sandboxes:read", request: RequestInfo | None = None
    ) -> Running:
        """One process by its id here, its number inside (the newest that had it) or its name."""
        sandbox = await self._reach.into(principal, key, scope, "sandbox:process:get", request, wake=False)
        found = await self._reach.do(sandbox, lambda: self._backend.processes(sandbox.id))
        for process in sorted(found, key=lambda process: process["started_at"], reverse=True):
            if wanted in (process["process"], str(process["pid"]), process.get("name")):
                return Running(sandbox, process)
        raise NotFound(f"no process {wanted[:80]!r} in this sandbox; ended ones are remembered for ten minutes")

    @property
    def lifecycle(self) -> Lifecycle:
        """Where beginnings and ends are told."""
        return self._reach.sandboxes.lifecycle

    async def look(
        self, principal: Principal, key: str, action: str, request: RequestInfo | None, *, scope: str = "sandboxes:read"
    ) -> Sandbox:
        """The sandbox, to be looked at and not woken up."""
        return await self._reach.into(principal, key, scope, action, request, wake=False)

    async def all_of(self, sandbox: Sandbox) -> list[Running]:
        """What was started in a sandbox that was looked up already."""
        return [Running(sandbox, process) for process in await self._reach.do(sandbox, lambda: self._backend.processes(sandbox.id))]

    async def one(self, sandbox: Sandbox, process_id: str) -> Running:
        """One process of it, by its id here."""
        return Running(sandbox, await self._backend.process(sandbox.id, process_id))

    async def everything(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> list[tuple[Running, bytes]]:
        """What every process of the sandbox has said, as far as it is kept, in the order in which they were started."""
        started = await self.processes(principal, key, request=request)
        return [(running, await self.logs(running)) for running in started]

    async def logs(self, running: Running) -> bytes:
        """What it has said so far and the ring still holds, in the order it came."""
        said = bytearray()
        async for chunk in self._backend.output(running.sandbox.id, running.id, follow=False):
            said += chunk.get("data", b"")
        return bytes(said)

    async def stop(self, running: Running) -> None:
        """TERM to its group, KILL when it still runs after five seconds."""
        if running.process["state"] != "running":
            return
        try:
            await self._backend.signal(running.sandbox.id, running.id, signals.SIGTERM)
        except NotRunning:
            return  # it ended by itself meanwhile
        try:
            async with asyncio.timeout(_GRACE):
                async for _ in self._backend.output(running.sandbox.id, running.id, follow=True):
                    pass
        except TimeoutError:
            await self._kill(running)

    async def signal(self, running: Running, name: str) -> None:
        """Send a signal by its name."""
        try:
            number = signals.Signals[name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"]
        except KeyError:
            raise Invalid(f"no signal {name[:20]!r}; use a name such as SIGINT", details={"field": "signal"}) from None
        await self._backend.signal(running.sandbox.id, running.id, number)

    async def write(self, running: Running, data: bytes, *, eof: bool = False) -> None:
        """To its standard input or terminal."""
        await self._backend.stdin(running.sandbox.id, running.id, data, eof=eof)

    async def resize(self, running: Running, pty: Pty) -> None:
        """Its terminal."""
        await self._backend.resize(running.sandbox.id, running.id, pty)

    def _tell(self, running: Running) -> None:
        """Tell whoever watches that it began, and later that it ended."""
        lifecycle = self.lifecycle
        about = {"process": running.id, "pid": str(running.process["pid"]), "name": running.process.get("name")}
        lifecycle.tell("sandbox.exec.started", running.sandbox, **about)
        if not lifecycle.watched(running.sandbox):
            return

        async def to_the_end() -> None:
            try:
                async for chunk in self._backend.output(running.sandbox.id, running.id, follow=True, from_start=False):
                    if "exit" in chunk:
                        lifecycle.tell("sandbox.exec.completed", running.sandbox, **about, exit_code=chunk["exit"]["exit_code"])
            except OpenMiosaError:
                return  # the sandbox ended, which is told by itself

        task = asyncio.create_task(to_the_end())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def aclose(self) -> None:
        """Stop waiting for ends."""
        for task in list(self._telling):
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _take(self, result: Result, chunk: Output) -> None:
        if "data" in chunk:
            kept = result.output[chunk["stream"]]
            room = self._limit - len(kept)
            kept += chunk["data"][:room]
            result.truncated = result.truncated or len(chunk["data"]) > room
        elif "gap" in chunk:
            result.truncated = True
        elif "exit" in chunk:
            ended = chunk["exit"]
            result.exit_code = ended["exit_code"]
            result.signal = ended.get("signal")
            result.timed_out = bool(ended.get("timed_out"))
            result.duration_ms = int(ended.get("duration_ms") or 0)

    async def _argv(self, sandbox: Sandbox, command: Command) -> tuple[str, ...]:
        if command.argv is not None:
            if command.command is not None:
                raise Invalid("give either command or argv, not both", details={"field": "argv"})
            if not command.argv or not command.argv[0]:
                raise Invalid("argv is empty; its first entry is the program", details={"field": "argv"})
            return command.argv
        if not command.command:
            raise Invalid("command is missing; give a line for the shell, or argv", details={"field": "command"})
        return (await self._shell(sandbox), "-c", command.command)

    async def _shell(self, sandbox: Sandbox) -> str:
        # A template either has bash or has not; asking once per template keeps it off the path of every exec.
        if sandbox.template_id not in self._shells:
            try:
                await self._reach.do(sandbox, lambda: self._backend.stat(sandbox.id, "/bin/bash"))
                self._shells[sandbox.template_id] = "/bin/bash"
            except OpenMiosaError as error:
                if error.status >= 500:
                    raise
                self._shells[sandbox.template_id] = "/bin/sh"
        return self._shells[sandbox.template_id]

    async def _feed(self, running: Running, data: bytes) -> None:
        try:
            await self._backend.stdin(running.sandbox.id, running.id, data, eof=True)
        except OpenMiosaError as error:
            # A command may well end without reading what it was given; that is its business and no failure.
            if error.status >= 500:
                raise

    async def _kill(self, running: Running) -> None:
        try:
            await self._backend.signal(running.sandbox.id, running.id, signals.SIGKILL)
        except OpenMiosaError:
            return  # it ended by itself meanwhile, or its sandbox did


def _milliseconds(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not math.isfinite(seconds) or not 0 < seconds <= _LONGEST:
        raise Invalid(f"timeout must be between 0 and {_LONGEST:.0f} seconds", code="TIMEOUT_TOO_LONG", details={"field": "timeout"})
    return max(1, int(seconds * 1000))
