"""WS /computers/:id/exec/stream, /exec/spawn, /events: a sandbox's commands and changes as the published clients hear them."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.datastructures import QueryParams

from ..errors import Invalid, NotSupported, OpenMiosaError
from ..sandboxes import Command
from .context import Caller
from .conversation import converse, tell
from .dialects import Binary, Dialect, Marked, Texts, size
from .merge import together
from .operation import socket
from .sockets import agreed, caller_of, refuse

sockets = APIRouter()

EVENTS = "miosa-events-v1"

_WATCHED = {"file", "process", "idle"}
_SCREEN = {"window", "clipboard"}
_KINDS = {"sandbox.exec.started": ("process", "process.started"), "sandbox.exec.completed": ("process", "process.exited")}
_QUERY = {
    "command": "A program, or without `args` a line for the shell.",
    "args": "Its arguments: once each, or once for all with commas between.",
    "cwd": "The folder to start in.",
    "env": "NAME=VALUE, once for each variable, or one JSON object.",
    "tty": "`true` for a terminal; so do `rows` and `cols`.",
    "rows": "Height of the terminal.",
    "cols": "Width of the terminal.",
}


@sockets.websocket("/computers/{key}/exec/stream")
@socket("computers.exec_stream", scope="sandboxes:write", compat="terminals.open", query=_QUERY, subprotocols=[Binary.PROTOCOL])
async def exec_stream(client: WebSocket, key: str) -> None:
    """A command: in JSON both ways, or in bytes for who offers the subprotocol."""
    binary = agreed(client, Binary.PROTOCOL)
    await _run(client, key, Binary() if binary else Texts(), subprotocol=binary, terminal=False)


@sockets.websocket("/computers/{key}/exec/spawn")
@socket("computers.exec_spawn", scope="sandboxes:write", compat="terminals.open", query=_QUERY)
async def exec_spawn(client: WebSocket, key: str) -> None:
    """A command at a terminal: input as bytes, output behind a byte that names the stream."""
    await _run(client, key, Marked(marks=True), subprotocol=None, terminal=True)


@sockets.websocket("/computers/{key}/events")
@socket(
    "computers.events",
    scope="sandboxes:read",
    compat="files.watch",
    query={"subscribe": "`file`, `process`, `idle`, with commas between.", "paths": "Folders to watch, with commas between."},
    subprotocols=[EVENTS],
)
async def events(client: WebSocket, key: str) -> None:
    """Changes of files, beginnings and ends of processes, idleness."""
    asked = await caller_of(client)
    if asked is None:
        return
    async with AsyncExitStack() as opened:
        try:
            sources = await _sources(asked, key, client.query_params, opened)
        except OpenMiosaError as error:
            await refuse(client, error)
            return
        await client.accept(subprotocol=agreed(client, EVENTS))
        await tell(asked, client, together(*sources))


async def _run(client: WebSocket, key: str, dialect: Dialect, *, subprotocol: str | None, terminal: bool) -> None:
    asked = await caller_of(client)
    if asked is None:
        return
    given = client.query_params
    try:
        wanted = terminal or given.get("tty", "").lower() in ("true", "1") or "rows" in given or "cols" in given
        pty = size(given.get("rows", "24"), given.get("cols", "80")) if wanted else None
        running = await asked.services.execution.start(asked.principal, key, _command(given), pty=pty, stdin=True, **asked.who)
    except OpenMiosaError as error:
        await refuse(client, error)
        return
    await client.accept(subprotocol=subprotocol)
    await converse(asked, client, running, dialect)


def _command(given: QueryParams) -> Command:
    command, args = given.get("command") or "", given.getlist("args")
    if len(args) == 1:
        args = args[0].split(",")
    cwd, env = given.get("cwd") or None, _environment(given.getlist("env"))
    return Command(argv=(command, *args), cwd=cwd, env=env) if args else Command(command=command, cwd=cwd, env=env)


def _environment(given: list[str]) -> dict[str, str]:
    env: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if text.startswith("{"):
            try:
                env |= {str(name): str(value) for name, value in json.loads(text).items()}
            except (ValueError, AttributeError, RecursionError):
                raise Invalid("env is a JSON object, or NAME=VALUE", details={"field": "env"}) from None
        elif equals:
            env[name] = value
        else:
            raise Invalid("env is a JSON object, or NAME=VALUE", details={"field": "env"})
    return env


async def _sources(asked: Caller, key: str, given: QueryParams, opened: AsyncExitStack) -> list[AsyncIterator[dict[str, Any]]]:
    wanted = {kind.strip() for text in given.getlist("subscribe") for kind in text.split(",") if kind.strip()} or {"file", "process"}
    if wanted & _SCREEN:
        raise NotSupported("a sandbox has no screen, so there are no window and clipboard events; subscribe to file, process or idle")
    if wanted - _WATCHED:
        raise Invalid(f"subscribe to {', '.join(sorted(_WATCHED))}", details={"field": "subscribe"})
    sandbox = await asked.services.sandboxes.get(asked.principal, key, **asked.who)
    sources = []
    if "file" in wanted:
        paths = [path for path in given.get("paths", "").split(",") if path] or ["/workspace"]
        for path in paths[:4]:
            changes = await opened.enter_async_context(asked.services.files.watch(asked.principal, sandbox.id, path, **asked.who))
            sources.append(_changes(changes))
    if wanted & {"process", "idle"}:
        sources.append(_happenings(asked.services.sandboxes.lifecycle.follow(asked.principal, sandbox.id), wanted))
    return sources


async def _changes(changes: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    async for change in changes:
        yield {"type": f"file.{change['event']}", "payload": change}


async def _happenings(happenings: AsyncIterator[dict[str, Any]], wanted: set[str]) -> AsyncIterator[dict[str, Any]]:
    async for told in happenings:
        kind, name = _KINDS.get(told["action"], ("idle", "idle") if told["action"] == "sandbox.idle" else ("", ""))
        if kind in wanted:
            yield {"type": name, "timestamp": told["timestamp"], "payload": told["metadata"]}
        elif told["action"] == "sandbox.destroyed":
            return
