"""The public listener: uvicorn on a socket that was bound before anything else was started."""

import ipaddress
import os
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from .embedded import Embedded
from .settings import ServerSettings

KEEP_ALIVE = 95  # seconds; the published clients drop idle connections after 60 (Go after 90), and must be the first to do so
_FRAME = 2**20


def bind(server: ServerSettings) -> socket.socket:
    """A bound socket that does not listen yet; OSError when the address is taken."""
    host = "127.0.0.1" if server.host == "localhost" else server.host
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, server.port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {server.bind}: {error.strerror}") from None
    return listener


def inherited(descriptor: int) -> socket.socket:
    """The bound socket that whoever started this server has handed it; its port was never free in between."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener


class Public:
    """Serves between `start` and `stop`."""

    def __init__(self, app: ASGIApp, listener: socket.socket, server: ServerSettings) -> None:
        self._listener = listener
        host, port = listener.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=_FRAME,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(server.trusted_proxies),
            forwarded_allow_ips=server.trusted_proxies or None,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=int(server.drain_seconds),
            ssl_certfile=server.tls_cert,
            ssl_keyfile=server.tls_key,
        )
        self._embedded = Embedded(config)

    async def start(self) -> None:
        """Serve; returns when connections are accepted, raises when they cannot be."""
        await self._embedded.start(self._listener)

    async def stop(self) -> None:
        """Answer what is in flight, at most for the drain time."""
        await self._embedded.stop()


def hand_over(key: str) -> None:
    """Give the first admin key to whoever started this server, in a file made for nobody else to read."""
    target = os.environ.get("OPENMIOSA_BOOTSTRAP_KEY_FILE")
    if target is None:
        raise OSError("a first start needs OPENMIOSA_BOOTSTRAP_KEY_FILE, the file for the first admin key; `openmiosa up` sees to it")
    # What lies there is of a start that ended before its key was made.
    Path(target).unlink(missing_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
