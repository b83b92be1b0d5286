"""The least that a gateway in Python would have to do, as two programs of one file.

`bytes`: end TLS, open TLS, copy. `parse`: also read both messages with h11 and put a value into one header, which is
what a swap needs at least. Neither decides, records, masks, guards an address or renews anything.
"""

import asyncio
import contextlib
import functools
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import h11

from tests.kit.system import World

_PIECE = 65536
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Relay:
    """The relay as a process of its own, so that its CPU time can be told apart."""

    def __init__(self, world: World, kind: str, host: str, listen: tuple[str, int], upstream: tuple[str, int]) -> None:
        certificate, key = world.internet.authority.leaf(f"relay.{host}")
        leaf = world.folder / "relay.pem"
        leaf.write_bytes(key + certificate)
        self._arguments = [
            kind,
            listen[0],
            str(listen[1]),
            upstream[0],
            str(upstream[1]),
            host,
            str(leaf),
            str(world.folder / "authority.pem"),
        ]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.relay", *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1])
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("the relay did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid


async def main(kind: str, listen: str, port: int, upstream: str, upstream_port: int, name: str, leaf: Path, authority: Path) -> None:
    """Relay until the process ends."""
    inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inner.load_cert_chain(leaf)
    outer = ssl.create_default_context(cafile=authority)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(upstream, upstream_port, ssl=outer, server_hostname=name)
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            if kind == "parse":
                await exchange(reader, writer, there, back)
            else:
                await asyncio.gather(copy(reader, back), copy(there, writer))
        back.close()
        writer.close()

    server = await asyncio.start_server(serve, listen, port, ssl=inner)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from here to there until the end."""
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there: asyncio.StreamReader, back: asyncio.StreamWriter
) -> None:
    """Requests one after another: read, put the value in, send, read the answer, send it."""
    client, upstream = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
    while True:
        if not await message(client, reader, upstream, back, swap):
            return
        if not await message(upstream, there, client, writer, lambda head: head):
            return
        client.start_next_cycle()
        upstream.start_next_cycle()


async def message(
    source: h11.Connection, reader: asyncio.StreamReader, target: h11.Connection, writer: asyncio.StreamWriter, change: Callable
) -> bool:
    """One message from here to there; False at the end of the connection."""
    while True:
        event = source.next_event()
        if event is h11.NEED_DATA:
            source.receive_data(await reader.read(_PIECE))
            continue
        if isinstance(event, h11.ConnectionClosed):
            return False
        writer.write(target.send(change(event) if isinstance(event, h11.Request) else event) or b"")
        if isinstance(event, h11.EndOfMessage):
            await writer.drain()
            return True


def swap(request: h11.Request) -> h11.Request:
    """The value in place of the placeholder."""
    headers = [(name, b"Bearer value" if name == b"authorization" else value) for name, value in request.headers]
    return h11.Request(method=request.method, target=request.target, headers=headers)


if __name__ == "__main__":
    given = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            functools.partial(main, given[0], given[1], int(given[2]), given[3], int(given[4]), given[5])(Path(given[6]), Path(given[7]))
        )
