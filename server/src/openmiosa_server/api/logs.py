"""/sandboxes/:id/logs and /logs/stream: what all processes of a sandbox say."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from ..sandboxes import Running
from . import sse
from .answers import data
from .context import Asked, while_valid
from .lines import Lines
from .operation import operation
from .route import Route
from .schemas.common import One
from .schemas.logs import LogFrame, SandboxLogs

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)

Last = Annotated[int, Query(ge=1, le=100_000, description="How many lines from the end.")]


@router.get("/logs", **operation("sandboxes.logs", One[SandboxLogs], scope="sandboxes:read", sdk="sandbox.logs"))
async def logs(asked: Asked, key: str, lines: Last = 200) -> Response:
    """The last lines of its processes, in the order in which these were started; ended ones are remembered for a while."""
    said = await asked.services.logs.last(asked.principal, key, lines, **asked.who)
    return data({"logs": "".join(f"{one.line}\n" for one in said), "lines": [{**_who(one.running), "line": one.line} for one in said]})


@router.get("/logs/stream", **operation("sandboxes.logs_stream", stream=LogFrame, scope="sandboxes:read", sdk="sandbox.logs_stream"))
async def logs_stream(asked: Asked, key: str) -> Response:
    """What its running processes said and say, and those that are started later; until the sandbox ends."""
    output = await asked.services.logs.follow(asked.principal, key, **asked.who)

    async def frames() -> AsyncIterator[str]:
        kept: dict[str, Lines] = {}
        async for running, chunk in while_valid(asked, output):
            for told in _lines(kept.setdefault(running.id, Lines()), chunk):
                yield sse.frame({**told, **_who(running)}, event=told["type"])

    return sse.stream(frames())


def _lines(lines: Lines, chunk: dict[str, Any]) -> list[dict[str, Any]]:
    if "data" in chunk:
        return [{"type": chunk["stream"], **line} for line in lines.feed(chunk["stream"], chunk["data"])]
    if "gap" in chunk:
        return [{"type": chunk["gap"]["stream"], "line": "", "gap": chunk["gap"]}]
    rest = [{"type": stream, **line} for stream, line in lines.rest()]
    return [*rest, {"type": "exit", **chunk["exit"], "exitCode": chunk["exit"]["exit_code"]}]


def _who(running: Running) -> dict[str, Any]:
    return {"process": running.id, "pid": str(running.process["pid"]), "name": running.process.get("name")}
