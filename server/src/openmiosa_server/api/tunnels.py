"""WS /sandboxes/:id/tunnel/:port, the same below /computers, and /sandboxes/:id/ssh-tunnel: TCP over a WebSocket."""

from contextlib import AsyncExitStack

from fastapi import APIRouter, WebSocket

from ..errors import OpenMiosaError
from ..sandboxes.tunnels import SSH
from .conversation import relay
from .operation import socket
from .sockets import caller_of, refuse

sockets = APIRouter()


@sockets.websocket("/sandboxes/{key}/tunnel/{port}")
@socket("tunnels.open", scope="sandboxes:write", compat="previews.open")
async def tunnel(client: WebSocket, key: str, port: str) -> None:
    """The bytes of a connection to that port of the sandbox's loopback."""
    await _tunnel(client, key, port)


@sockets.websocket("/computers/{key}/tunnel/{port}")
@socket("computers.tunnel", scope="sandboxes:write", compat="previews.open")
async def computer_tunnel(client: WebSocket, key: str, port: str) -> None:
    """The same under its other name."""
    await _tunnel(client, key, port)


@sockets.websocket("/sandboxes/{key}/ssh-tunnel")
@socket("tunnels.ssh", scope="sandboxes:write", compat="terminals.open")
async def ssh(client: WebSocket, key: str) -> None:
    """The same to port 22, where a sandbox has an SSH server only if somebody started one."""
    await _tunnel(client, key, str(SSH))


async def _tunnel(client: WebSocket, key: str, port: str) -> None:
    asked = await caller_of(client)
    if asked is None:
        return
    async with AsyncExitStack() as opened:
        try:
            number = int(port) if port.isdecimal() and len(port) <= 5 else 0
            inside = await opened.enter_async_context(asked.services.tunnels.open(asked.principal, key, number, **asked.who))
        except OpenMiosaError as error:
            await refuse(client, error)
            return
        await client.accept()
        await relay(asked, client, inside)
