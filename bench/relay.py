"""The least that a gateway in Python would have to do: end TLS, open TLS, copy bytes. No parsing, policy, swap or record."""

import asyncio
import contextlib
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.kit.system import World


class Relay:
    """The relay as a process of its own, so that its CPU time can be told apart."""

    def __init__(self, world: World, host: str, listen: tuple[str, int], upstream: tuple[str, int]) -> None:
        certificate, key = world.internet.authority.leaf(f"relay.{host}")
        self._leaf = world.folder / "relay.pem"
        self._leaf.write_bytes(key + certificate)
        self._arguments = [
            listen[0],
            str(listen[1]),
            upstream[0],
            str(upstream[1]),
            host,
            str(self._leaf),
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


async def serve(listen: str, port: int, upstream: str, upstream_port: int, name: str, leaf: Path, authority: Path) -> None:
    """Relay until the process ends."""
    inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inner.load_cert_chain(leaf)
    outer = ssl.create_default_context(cafile=authority)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(upstream, upstream_port, ssl=outer, server_hostname=name)
        with contextlib.suppress(OSError):
            await asyncio.gather(copy(reader, back), copy(there, writer))

    server = await asyncio.start_server(relay, listen, port, ssl=inner)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from here to there until the end."""
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given[0], int(given[1]), given[2], int(given[3]), given[4], Path(given[5]), Path(given[6])))
