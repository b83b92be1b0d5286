"""The rig's Internet: whatever address and name is dialled on port 443 or 80, it answers, and it records all of it.

Every name has a certificate that the system under test trusts, so that a request which should not have left would
have succeeded. What a name answers is scripted; without a script it answers 200 with a small JSON body.
"""

import asyncio
import contextlib
import functools
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from .authority import Authority

PORTS = {443: True, 80: False, 8443: True}


@dataclass
class Request:
    """One request as it arrived."""

    name: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass
class Response:
    """A scripted answer; `stream` sends its pieces as they come and ends with the connection, `hold` keeps the head back."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"ok": true}'
    stream: Callable[[], AsyncIterator[bytes]] | None = None
    hold: threading.Event | None = None


@dataclass
class Connection:
    """One accepted connection: who dialled what, and every byte that came."""

    address: str
    port: int
    peer_uid: int | None
    name: str | None = None
    handshake: str | None = None
    received: bytearray = field(default_factory=bytearray)
    requests: list[Request] = field(default_factory=list)
    closed: float | None = None


Script = Callable[[Request], Response]


class Internet:
    """All upstreams in one: listens on every address of the rig."""

    def __init__(self) -> None:
        self.authority = Authority("rig authority")
        self.connections: list[Connection] = []
        self.scripts: dict[str, Script] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._versions: dict[str, ssl.TLSVersion] = {}
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []

    def start(self) -> "Internet":
        """Listen; needs the rig's namespace, where every address is local."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="internet")
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def stop(self) -> None:
        """Close every listener and connection."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def answer(self, name: str, script: Script) -> None:
        """Script what `name` answers."""
        self.scripts[name] = script

    def certificate(self, name: str, context: ssl.SSLContext) -> None:
        """Let `name` show this certificate instead of a good one."""
        self._contexts[name] = context

    def newest_version(self, address: str, version: ssl.TLSVersion) -> None:
        """Let whoever listens on `address` speak nothing newer than this version."""
        self._versions[address] = version

    def mark(self) -> int:
        """A point in the record; give it to `since`."""
        return len(self.connections)

    def dialled(self, since: int = 0) -> list[Connection]:
        """The connections opened after the mark."""
        return self.connections[since:]

    def requests(self, name: str | None = None) -> list[Request]:
        """The requests received so far, of one name or of all, in order of arrival."""
        got = [request for connection in self.connections for request in connection.requests if name in (None, request.name)]
        return sorted(got, key=lambda request: request.at)

    async def _listen(self) -> None:
        for port, tls in PORTS.items():
            listener = socket.socket(socket.AF_INET6)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::", port))
            accept = functools.partial(self._serve, tls=tls)
            self._servers.append(await asyncio.start_server(accept, sock=listener, backlog=512))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        mine = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: bool) -> None:
        here, there = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
        connection = Connection(here[0].removeprefix("::ffff:"), here[1], _owner(there))
        self.connections.append(connection)
        try:
            if tls and not await self._handshake(writer, connection):
                return
            while (request := await self._read(reader, connection)) is not None:
                if not await self._reply(writer, request):
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            connection.closed = time.monotonic()
            with contextlib.suppress(OSError):
                writer.transport.abort()

    async def _handshake(self, writer: asyncio.StreamWriter, connection: Connection) -> bool:
        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            connection.name = name
            tls.context = self._context(name or "no-name.test")

        # A context of its own for each connection, so that the choice is this connection's.
        chooser = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chooser.set_ciphers("ALL:@SECLEVEL=0")
        chooser.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        # The version is settled before the name is known, so an old one belongs to an address.
        chooser.maximum_version = self._versions.get(connection.address, ssl.TLSVersion.MAXIMUM_SUPPORTED)
        chooser.sni_callback = choose
        try:
            await writer.start_tls(chooser, ssl_handshake_timeout=10)
        except (OSError, ssl.SSLError) as error:
            connection.handshake = f"failed: {error}"
            return False
        connection.handshake = "done"
        return True

    def _context(self, name: str) -> ssl.SSLContext:
        if name not in self._contexts:
            self._contexts[name] = self.authority.context(name)
        return self._contexts[name]

    async def _read(self, reader: asyncio.StreamReader, connection: Connection) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as rest:
            connection.received += rest.partial
            return None
        connection.received += head
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        body = await _body(reader, {name.lower(): value for name, value in headers})
        connection.received += body
        host = next((value for name, value in headers if name.lower() == "host"), "").partition(":")[0]
        request = Request(connection.name or host, method, target, headers, body, time.monotonic())
        connection.requests.append(request)
        return request

    async def _reply(self, writer: asyncio.StreamWriter, request: Request) -> bool:
        response = self.scripts.get(request.name, lambda _: Response())(request)
        if response.hold is not None:
            await asyncio.to_thread(response.hold.wait, 30)
        headers = {"Content-Type": "application/json", **response.headers}
        if response.stream is None:
            headers["Content-Length"] = str(len(response.body))
        else:
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {response.status} Scripted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(head.encode("latin-1") + b"\r\n" + (response.body if response.stream is None else b""))
        await writer.drain()
        if response.stream is None:
            return headers.get("Connection", "").lower() != "close"
        async for piece in response.stream():
            writer.write(piece)
            await writer.drain()
        writer.close()
        return False


def echo(request: Request) -> Response:
    """Gives every header back, as a service that reflects does."""
    return Response(body=json.dumps({"target": request.target, "headers": request.headers}).encode())


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        whole = b""
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            whole += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return whole
    return await reader.readexactly(int(headers.get("content-length", 0)))


def _owner(peer: tuple[str, int]) -> int | None:
    """The user id of the socket at the other end: it is in this same namespace."""
    port = f":{peer[1]:04X}"
    for table in ("tcp6", "tcp"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f"/proc/{os.getpid()}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(port):
                    # A socket that its process has closed already has no inode, and the table says user 0 of it.
                    return int(fields[7]) if fields[9] != "0" else None
    return None
