"""Terminals: a socket that starts a command and shows it, and shells that are made first and looked at later."""

from typing import Annotated, Any

from fastapi import APIRouter, WebSocket
from pydantic import Field
from starlette.responses import Response

from ..errors import Invalid, OpenMiosaError
from ..sandboxes import Command
from .answers import data, nothing
from .bodies import Body, body, example
from .context import Asked
from .conversation import converse
from .dialects import WIDEST, Marked, size
from .operation import operation, socket
from .route import Route
from .schemas.common import One
from .schemas.exec import TerminalMade
from .sockets import agreed, caller_of, refuse

router = APIRouter(prefix="/sandboxes/{key}", route_class=Route)
sockets = APIRouter()

PROTOCOL = "openmiosa-terminal-v1"

_SHELL = ("/bin/sh", "-c", "if [ -x /bin/bash ]; then exec /bin/bash -i; else exec /bin/sh -i; fi")
_QUERY = {
    "command": "A line for the shell; without one the shell itself.",
    "argv": "A program and its arguments, once each; instead of a command.",
    "cwd": "The folder to start in.",
    "env": "NAME=VALUE, once for each variable.",
    "tty": "`false` for pipes instead of a terminal; output frames begin with a byte 1 (stdout) or 2 (stderr) then.",
    "rows": "Height of the terminal.",
    "cols": "Width of the terminal.",
}


class TerminalCreate(Body):
    """A shell and its surroundings."""

    model_config = example({"rows": 24, "cols": 80})

    rows: int = Field(default=24, ge=1, le=WIDEST)
    cols: int = Field(default=80, ge=1, le=WIDEST)
    shell: str | None = Field(default=None, max_length=4096)
    cwd: str | None = Field(default=None, max_length=4096)
    env: dict[str, str] | None = None


@router.post("/terminal", **operation("terminals.create", One[TerminalMade], scope="sandboxes:write", compat="terminals.open", status=201))
async def create(asked: Asked, key: str, given: Annotated[TerminalCreate, body(TerminalCreate)]) -> Response:
    """Start a shell at a terminal; `socket` is where it is seen and typed at, as often as wanted."""
    command = Command(argv=(given.shell,) if given.shell else _SHELL, cwd=given.cwd, env=given.env or {})
    made = await asked.services.terminals.create(asked.principal, key, command, size(given.rows, given.cols), **asked.who)
    return data(made.view(), status=201)


@router.delete("/terminal/{sid}", **operation("terminals.delete", scope="sandboxes:write", compat="terminals.open", status=204))
async def delete(asked: Asked, key: str, sid: str) -> Response:
    """Hang up: the shell and what it runs end."""
    await asked.services.terminals.delete(asked.principal, key, sid, **asked.who)
    return nothing()


@sockets.websocket("/sandboxes/{key}/terminal/stream")
@socket("terminals.open", scope="sandboxes:write", sdk="sandbox.shell", query=_QUERY)
async def terminal(client: WebSocket, key: str) -> None:
    """Binary frames are bytes, text frames are messages; `exit` is the last."""
    asked = await caller_of(client)
    if asked is None:
        return
    try:
        tty = client.query_params.get("tty", "true").lower() not in ("false", "0")
        pty = size(client.query_params.get("rows", "24"), client.query_params.get("cols", "80")) if tty else None
        running = await asked.services.execution.start(asked.principal, key, _command(client), pty=pty, stdin=True, **asked.who)
    except OpenMiosaError as error:
        await refuse(client, error)
        return
    await client.accept(subprotocol=agreed(client, PROTOCOL))
    await converse(asked, client, running, Marked(marks=not tty))


@sockets.websocket("/sandboxes/{key}/terminal/{sid}/stream")
@socket("terminals.attach", scope="sandboxes:write", compat="terminals.open")
async def attach(client: WebSocket, key: str, sid: str) -> None:
    """A terminal that was made before: what it said and says; leaving lets it run."""
    asked = await caller_of(client)
    if asked is None:
        return
    try:
        running = await asked.services.terminals.find(asked.principal, key, sid, **asked.who)
    except OpenMiosaError as error:
        await refuse(client, error)
        return
    await client.accept(subprotocol=agreed(client, PROTOCOL))
    await converse(asked, client, running, Marked(marks=False), kill=False)


def _command(client: WebSocket) -> Command:
    given: Any = client.query_params
    env = {}
    for pair in given.getlist("env"):
        name, equals, value = pair.partition("=")
        if not equals:
            raise Invalid("env reads NAME=VALUE", details={"field": "env"})
        env[name] = value
    argv = given.getlist("argv")
    if argv:
        return Command(argv=tuple(argv), cwd=given.get("cwd") or None, env=env)
    line = given.get("command")
    return Command(command=line or None, argv=None if line else _SHELL, cwd=given.get("cwd") or None, env=env)
