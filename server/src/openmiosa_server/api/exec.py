"""/sandboxes/:id/exec, /exec/stream, /commands, /processes: running things inside."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from ..errors import Invalid
from ..sandboxes import Command, Running
from . import sse
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked, while_valid
from .lines import Lines
from .operation import operation
from .padded import Padded
from .route import Route
from .schemas.common import Many, One
from .schemas.exec import CommandResult, ExecFrame, Killed, Logs, LogText, Process, Result

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)

_LONGEST_COMMAND = 600


class ExecRun(Body):
    """A command and its surroundings."""

    model_config = example({"command": "python3 agent.py", "cwd": "/workspace", "timeout": 60})

    command: str | list[str] | None = None
    args: list[str] | None = None
    argv: list[str] | None = None
    cwd: str | None = Field(default=None, max_length=4096)
    env: dict[str, str] | None = None
    timeout: float | None = None
    timeout_seconds: float | None = None
    stdin: str | None = None
    name: str | None = Field(default=None, max_length=255)
    detached: bool | None = None

    @classmethod
    def known_elsewhere(cls) -> frozenset[str]:
        """The rest of the wire's command body."""
        return frozenset(("tty", "interactive", "sudo", "user", "background", "shell"))

    def wanted(self) -> Command:
        """As the service takes it."""
        line, argv = self.command, self.argv
        if isinstance(line, list):
            line, argv = None, line
        if self.args is not None:
            if line is None:
                raise Invalid("args need a command", details={"field": "args"})
            line, argv = None, [str(line), *self.args]
        return Command(
            command=line,
            argv=None if argv is None else tuple(argv),
            cwd=self.cwd,
            env=self.env or {},
            timeout=self.timeout if self.timeout is not None else self.timeout_seconds,
            stdin=self.stdin,
            name=self.name,
        )


@router.post("/exec", **operation("exec.run", One[Result], scope="sandboxes:write", sdk=("sandbox.exec", "sandbox.exec.run")))
async def run(asked: Asked, key: str, given: Annotated[ExecRun, body(ExecRun)]) -> Response:
    """Run to the end; a command that fails is an answer with its exit code, not an error."""
    running = await asked.services.execution.start(asked.principal, key, given.wanted(), **asked.who)

    async def work() -> dict[str, Any]:
        return {"data": (await asked.services.execution.wait(running)).view()}

    return Padded(work())


@router.post("/exec/stream", **operation("exec.stream", stream=ExecFrame, scope="sandboxes:write", sdk="sandbox.exec.stream"))
async def stream(asked: Asked, key: str, given: Annotated[ExecRun, body(ExecRun)]) -> Response:
    """Run, line by line; the client's leaving kills it."""
    running = await asked.services.execution.start(asked.principal, key, given.wanted(), **asked.who)
    return sse.stream(while_valid(asked, _frames(asked, running)))


@router.post("/commands", **operation("commands.run", One[CommandResult], scope="sandboxes:write", compat="exec.run"))
async def command(asked: Asked, key: str, given: Annotated[ExecRun, body(ExecRun)]) -> Response:
    """Run to the end within ten minutes, or (detached) in the background."""
    wanted = given.wanted()
    if wanted.timeout is not None and wanted.timeout > _LONGEST_COMMAND:
        raise Invalid(f"a command runs for {_LONGEST_COMMAND} seconds at most; start a process instead", code="TIMEOUT_TOO_LONG")
    running = await asked.services.execution.start(asked.principal, key, wanted, **asked.who)
    if given.detached:
        return data(described(running))

    async def work() -> dict[str, Any]:
        return {"data": {**described(running), **(await asked.services.execution.wait(running)).view(), "status": "exited"}}

    return Padded(work())


@router.post("/processes", **operation("processes.start", Process, scope="sandboxes:write", sdk="sandbox.processes.start", status=201))
async def start(asked: Asked, key: str, given: Annotated[ExecRun, body(ExecRun)]) -> Response:
    """Start in the background."""
    running = await asked.services.execution.start(asked.principal, key, given.wanted(), **asked.who)
    return JSON(described(running), status_code=201)


@router.get("/processes", **operation("processes.list", Many[Process], scope="sandboxes:read", sdk="sandbox.processes.list"))
@router.get("/commands", **operation("commands.list", Many[Process], scope="sandboxes:read", compat="processes.list"))
async def listed(asked: Asked, key: str) -> Response:
    """What was started, oldest first."""
    return data([described(running) for running in await asked.services.execution.processes(asked.principal, key, **asked.who)])


@router.get("/processes/{process}", **operation("processes.get", Process, scope="sandboxes:read", sdk="sandbox.processes.get"))
async def get(asked: Asked, key: str, process: str) -> Response:
    """One process."""
    return JSON(described(await asked.services.execution.process(asked.principal, key, process, **asked.who)))


@router.get("/commands/{process}", **operation("commands.get", One[Process], scope="sandboxes:read", compat="processes.get"))
async def get_command(asked: Asked, key: str, process: str) -> Response:
    """One command."""
    return data(described(await asked.services.execution.process(asked.principal, key, process, **asked.who)))


@router.delete("/processes/{process}", **operation("processes.stop", scope="sandboxes:write", sdk="sandbox.processes.stop", status=204))
async def stop(asked: Asked, key: str, process: str) -> Response:
    """TERM, and KILL after five seconds."""
    await _stop(asked, key, process)
    return nothing()


@router.post("/commands/{process}/kill", **operation("commands.kill", One[Killed], scope="sandboxes:write", compat="processes.stop"))
async def kill(asked: Asked, key: str, process: str) -> Response:
    """The same under its other name."""
    await _stop(asked, key, process)
    return data({"pid": process, "status": "exited"})


@router.get("/processes/{process}/logs", **operation("processes.logs", LogText, scope="sandboxes:read", sdk="sandbox.processes.logs"))
async def logs(asked: Asked, key: str, process: str, tail: Annotated[int, Query(ge=1, le=100_000)] = 200) -> Response:
    """The last lines as one JSON string."""
    return JSON(await _logs(asked, key, process, tail))


@router.get("/commands/{process}/logs", **operation("commands.logs", One[Logs], scope="sandboxes:read", compat="processes.logs"))
async def command_logs(asked: Asked, key: str, process: str, tail: Annotated[int, Query(ge=1, le=100_000)] = 200) -> Response:
    """The same, in an envelope."""
    return data({"logs": await _logs(asked, key, process, tail)})


@router.get(
    "/processes/{process}/stream", **operation("processes.stream", stream=ExecFrame, scope="sandboxes:read", sdk="sandbox.processes.stream")
)
async def follow(asked: Asked, key: str, process: str) -> Response:
    """Follow a process; leaving lets it run."""
    running = await asked.services.execution.process(asked.principal, key, process, **asked.who)
    return sse.stream(while_valid(asked, _frames(asked, running, kill=False)))


def described(running: Running) -> dict[str, Any]:
    """A process as the wire has it: flat, the number as text."""
    process = running.process
    argv = process.get("argv") or []
    shown = argv[2] if len(argv) == 3 and argv[1] == "-c" else " ".join(argv)
    return {
        "pid": str(process["pid"]),
        "id": process["process"],
        "name": process.get("name"),
        "command": shown,
        "status": process["state"],
        "started_at": process["started_at"],
        "ended_at": process.get("ended_at"),
        "exit_code": process.get("exit_code"),
        "signal": process.get("signal"),
        "timed_out": bool(process.get("timed_out")),
        "duration_ms": process.get("duration_ms"),
    }


async def _frames(asked: Asked, running: Running, *, kill: bool = True) -> AsyncIterator[str]:
    lines = Lines()
    async with asked.services.execution.follow(running, kill=kill) as output:
        async for chunk in output:
            if "data" in chunk:
                for line in lines.feed(chunk["stream"], chunk["data"]):
                    yield sse.frame({"type": chunk["stream"], **line}, event=chunk["stream"])
            elif "gap" in chunk:
                name = chunk["gap"]["stream"]
                yield sse.frame({"type": name, "line": "", "gap": chunk["gap"]}, event=name)
            elif "exit" in chunk:
                for name, line in lines.rest():
                    yield sse.frame({"type": name, **line}, event=name)
                ended = chunk["exit"]
                yield sse.frame({"type": "exit", **ended, "exitCode": ended["exit_code"]}, event="exit")


async def _stop(asked: Asked, key: str, process: str) -> None:
    execution = asked.services.execution
    await execution.stop(await execution.process(asked.principal, key, process, scope="sandboxes:write", **asked.who))


async def _logs(asked: Asked, key: str, process: str, tail: int) -> str:
    execution = asked.services.execution
    said = await execution.logs(await execution.process(asked.principal, key, process, **asked.who))
    return "".join(said.decode(errors="replace").splitlines(keepends=True)[-tail:])
