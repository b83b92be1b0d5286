"""WS /sandboxes/:id/terminal/stream: a command with its input and output, at a terminal or over pipes."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from ..errors import Invalid, OpenMiosaError
from ..sandboxes import Command, Running
from ..sandboxes.backends import Pty
from .answers import dump
from .context import Caller
from .operation import socket
from .sockets import caller_of, refuse

sockets = APIRouter()

PROTOCOL = "openmiosa-terminal-v1"

_STREAMS = {"stdout": b"\x01", "stderr": b"\x02"}
_WIDEST = 4096


_QUERY = {
    "command": "A line for the shell; without one the shell itself.",
    "argv": "A program and its arguments, once each; instead of a command.",
    "cwd": "The folder to start in.",
    "env": "NAME=VALUE, once for each variable.",
    "tty": "`false` for pipes instead of a terminal; output frames begin with a byte 1 (stdout) or 2 (stderr) then.",
    "rows": "Height of the terminal.",
    "cols": "Width of the terminal.",
}


@sockets.websocket("/sandboxes/{key}/terminal/stream")
@socket("terminals.open", scope="sandboxes:write", sdk="sandbox.shell", query=_QUERY)
async def terminal(client: WebSocket, key: str) -> None:
    """Binary frames are bytes, text frames are messages; `exit` is the last."""
    asked = await caller_of(client)
    if asked is None:
        return
    try:
        tty = client.query_params.get("tty", "true").lower() not in ("false", "0")
        pty = _size(client.query_params.get("rows", "24"), client.query_params.get("cols", "80")) if tty else None
        running = await asked.services.execution.start(asked.principal, key, _command(client), pty=pty, stdin=True, **asked.who)
    except OpenMiosaError as error:
        await refuse(client, error)
        return
    # A browser that offered subprotocols hangs up when the answer names none of them; the other one that it offers is the key.
    await client.accept(subprotocol=PROTOCOL if PROTOCOL in client.scope.get("subprotocols", []) else None)
    out = asyncio.create_task(_out(asked, client, running, tty=tty))
    into = asyncio.create_task(_into(asked, client, running))
    guard = asyncio.create_task(asked.services.identity.until_invalid(asked.principal))
    try:
        await asyncio.wait((out, into, guard), return_when=asyncio.FIRST_COMPLETED)
        if into.done() and not out.done() and into.exception() is not None:
            # The input broke on our side; the output still has its say.
            await asyncio.wait((out, guard), return_when=asyncio.FIRST_COMPLETED)
    finally:
        revoked = guard.done() and not out.done()
        for task in (out, into, guard):
            task.cancel()
        await asyncio.gather(out, into, guard, return_exceptions=True)
    if revoked and client.client_state is WebSocketState.CONNECTED:
        await client.close(1008, "the key was revoked")


async def _out(asked: Caller, socket: WebSocket, running: Running, *, tty: bool) -> None:
    async with asked.services.execution.follow(running) as output:
        async for chunk in output:
            if "data" in chunk:
                await socket.send_bytes(chunk["data"] if tty else _STREAMS[chunk["stream"]] + chunk["data"])
            elif "exit" in chunk:
                ended = chunk["exit"]
                await socket.send_text(dump({"type": "exit", **ended, "code": ended["exit_code"], "exit": ended["exit_code"]}))
                await socket.close(1000)


async def _into(asked: Caller, socket: WebSocket, running: Running) -> None:
    """Until the client leaves, which is the end of the process too."""
    execution = asked.services.execution
    while True:
        try:
            message = await socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            return
        if message["type"] == "websocket.disconnect":
            return
        try:
            if message.get("bytes") is not None:
                await execution.write(running, message["bytes"])
            else:
                await _control(asked, running, message.get("text") or "")
        except OpenMiosaError as error:
            if error.status >= 500:
                raise
            # Input for a process that has ended, or a message that means nothing: the output goes on.


async def _control(asked: Caller, running: Running, text: str) -> None:
    execution = asked.services.execution
    try:
        said: Any = json.loads(text)
        kind = said["type"]
    except (ValueError, TypeError, KeyError):
        raise Invalid("a text frame is a JSON object with a type") from None
    if kind == "resize":
        await execution.resize(running, _size(said.get("rows"), said.get("cols")))
    elif kind == "stdin_close":
        await execution.write(running, b"", eof=True)
    elif kind == "signal":
        await execution.signal(running, str(said.get("signal")))
    elif kind == "stdin":
        await execution.write(running, str(said.get("data", "")).encode())


def _command(socket: WebSocket) -> Command:
    given = socket.query_params
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
    return Command(
        command=line or None,
        argv=None if line else ("/bin/sh", "-c", "if [ -x /bin/bash ]; then exec /bin/bash -i; else exec /bin/sh -i; fi"),
        cwd=given.get("cwd") or None,
        env=env,
    )


def _size(rows: Any, cols: Any) -> Pty:
    try:
        size = Pty(rows=int(rows), cols=int(cols))
    except (TypeError, ValueError):
        raise Invalid("rows and cols are numbers", details={"field": "rows"}) from None
    if not (1 <= size.rows <= _WIDEST and 1 <= size.cols <= _WIDEST):
        raise Invalid(f"rows and cols are between 1 and {_WIDEST}", details={"field": "rows"})
    return size
