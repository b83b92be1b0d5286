"""A server that answers what a test has written down, over real sockets; and the client that talks to it."""

import contextlib
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openmiosa import Miosa

KEY = "msk_live_test"
BASE = "/api/v1"


@dataclass
class Reply:
    """One scripted answer: JSON or bytes, a stream of chunks, or a connection that breaks after what was sent."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[Any] | None = None
    drop: bool = False


@dataclass
class Seen:
    """One request, as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    target: str = ""


class ScriptedServer:
    """Answers each route with its replies in turn; the last one stays. A route without any answers 404."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._scripts: dict[tuple[str, str], deque[Reply]] = {}
        self.open: set[socket.socket] = set()
        self.stopping = threading.Event()
        self._http = self._listen(0)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Script a route below the API's base."""
        self._scripts[(method, path)] = deque(replies)

    def answers(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Script a route that always answers the same JSON."""
        self.on(method, path, Reply(status, body))

    def streams(self, method: str, path: str, *chunks: Any, drop: bool = False) -> None:
        """Script a route that sends server-sent events; an Event among the chunks is waited for."""
        self.on(method, path, self.sse(*chunks, drop=drop))

    @staticmethod
    def sse(*chunks: Any, drop: bool = False) -> Reply:
        """A stream of frames."""
        return Reply(headers={"Content-Type": "text/event-stream"}, chunks=list(chunks), drop=drop)

    reply = staticmethod(Reply)

    def requests(self, method: str, path: str) -> list[Seen]:
        """What came to one route."""
        return [one for one in self.seen if (one.method, one.path) == (method, path)]

    def stop(self) -> None:
        """End it, and every connection with it."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def restart(self) -> None:
        """Come back on the same port."""
        self.stopping = threading.Event()
        self._http = self._listen(self.port)

    def take(self, seen: Seen) -> Reply:
        """The reply for a request, which is remembered."""
        self.seen.append(seen)
        script = self._scripts.get((seen.method, seen.path))
        if not script:
            return Reply(404, {"error": {"code": "NOT_FOUND", "message": f"nothing at {seen.method} {seen.path}"}})
        return script.popleft() if len(script) > 1 else script[0]

    def _listen(self, port: int) -> ThreadingHTTPServer:
        http = _Http(("127.0.0.1", port), _Handler)
        http.scripted = self
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return http


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    scripted: ScriptedServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are part of these tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.server.scripted.open.add(self.connection)

    def finish(self) -> None:
        self.server.scripted.open.discard(self.connection)
        super().finish()

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        raw = self.chunked() if self.headers.get("Transfer-Encoding") else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path.removeprefix(BASE), dict(parse_qsl(parts.query)), headers, _parsed(raw), self.path)
        self.answer(self.server.scripted.take(seen))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def chunked(self) -> bytes:
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def answer(self, reply: Reply) -> None:
        if reply.drop and reply.chunks is None:
            self.hang_up()
            return
        content = reply.body if isinstance(reply.body, bytes) else b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
            self.send_header(name, value)
        if reply.chunks is None:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.stream(reply)

    def stream(self, reply: Reply) -> None:
        for chunk in reply.chunks or ():
            if isinstance(chunk, threading.Event):
                self.wait(chunk)
                continue
            data = chunk if isinstance(chunk, bytes) else chunk.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if reply.drop:
            self.hang_up()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def wait(self, event: threading.Event) -> None:
        while not event.wait(0.01) and not self.server.scripted.stopping.is_set():
            pass

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The scripted server; retries wait for next to nothing."""
    monkeypatch.setattr("openmiosa._retry.FIRST_WAIT", 0.001)
    for module in ("openmiosa._sync.tail", "openmiosa._async.tail"):
        monkeypatch.setattr(f"{module}.FIRST_WAIT", 0.001)
    made = ScriptedServer()
    yield made
    made.stop()


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Miosa]:
    """A client of the scripted server."""
    with Miosa(KEY, server.url) as made:
        yield made


@pytest.fixture
def sandbox(server: ScriptedServer, client: Miosa) -> Any:
    """A sandbox called `agent`."""
    server.answers("GET", "/sandboxes/sbx_1", {"data": {"id": "sbx_1", "name": "agent", "state": "running"}})
    return client.sandboxes.get("sbx_1")


@pytest.fixture
def event_frame() -> Callable[..., str]:
    """Makes the frame of an audit event."""

    def frame(number: int, **fields: Any) -> str:
        body = {"id": f"evt_{number}", "number": number, "action": "allow", "host": "api.openai.com", "status_code": 200, **fields}
        return f"event: audit\nid: evt_{number}\ndata: {json.dumps(body)}\n\n"

    return frame
