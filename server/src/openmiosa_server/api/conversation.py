"""A WebSocket that is open: its two directions, the key that it was opened with, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ..errors import OpenMiosaError
from ..sandboxes import Running
from ..sandboxes.backends import Stream
from .answers import dump
from .context import Caller
from .dialects import Dialect

_CHUNK = 64 << 10


async def converse(asked: Caller, client: WebSocket, running: Running, dialect: Dialect, *, kill: bool = True) -> None:
    """A process's input and output; with `kill` the client's leaving is its end."""

    async def out() -> None:
        async with asked.services.execution.follow(running, kill=kill) as output:
            async for chunk in output:
                for content in dialect.frames(chunk):
                    await _send(client, content)
                if "exit" in chunk:
                    await client.close(1000)

    async def into() -> None:
        async for content in _received(client):
            try:
                await dialect.take(asked.services.execution, running, content)
            except OpenMiosaError as error:
                if error.status >= 500:
                    raise
                # Input for a process that has ended, or a message that means nothing: the output goes on.

    await _attend(asked, client, out(), into())


async def relay(asked: Caller, client: WebSocket, inside: Stream) -> None:
    """The bytes of a connection, both ways."""

    async def out() -> None:
        while data := await inside.read(_CHUNK):
            await client.send_bytes(data)
        await client.close(1000)

    async def into() -> None:
        async for content in _received(client):
            await inside.write(content if isinstance(content, bytes) else content.encode())

    await _attend(asked, client, out(), into())


async def tell(asked: Caller, client: WebSocket, events: AsyncIterator[dict[str, Any]]) -> None:
    """Messages, until there are no more or the client leaves."""

    async def out() -> None:
        async for event in events:
            await client.send_text(dump(event))
        await client.close(1000)

    async def into() -> None:
        async for _ in _received(client):
            pass  # what a watcher says means nothing

    await _attend(asked, client, out(), into())


async def _attend(asked: Caller, client: WebSocket, out: Coroutine[Any, Any, None], into: Coroutine[Any, Any, None]) -> None:
    sending, receiving = asyncio.create_task(out), asyncio.create_task(into)
    guard = asyncio.create_task(asked.services.identity.until_invalid(asked.principal))
    try:
        await asyncio.wait((sending, receiving, guard), return_when=asyncio.FIRST_COMPLETED)
        if receiving.done() and not sending.done() and receiving.exception() is not None:
            # The input broke on our side; the output still has its say.
            await asyncio.wait((sending, guard), return_when=asyncio.FIRST_COMPLETED)
    finally:
        revoked = guard.done() and not sending.done()
        for task in (sending, receiving, guard):
            task.cancel()
        await asyncio.gather(sending, receiving, guard, return_exceptions=True)
    if client.client_state is WebSocketState.CONNECTED and client.application_state is WebSocketState.CONNECTED:
        await client.close(1008 if revoked else 1011, "the key was revoked" if revoked else "the connection broke on the server's side")


async def _received(client: WebSocket) -> AsyncIterator[bytes | str]:
    while True:
        try:
            message = await client.receive()
        except (WebSocketDisconnect, RuntimeError):
            return
        if message["type"] == "websocket.disconnect":
            return
        if message.get("bytes") is not None:
            yield bytes(message["bytes"])
        else:
            yield str(message.get("text") or "")


async def _send(client: WebSocket, content: bytes | str) -> None:
    if isinstance(content, bytes):
        await client.send_bytes(content)
    else:
        await client.send_text(content)
