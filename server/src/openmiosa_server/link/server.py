"""The server's side of link.sock: hello, events, refresh. Only named user ids get past the accept."""

import base64
import binascii
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..audit import Audit
from ..embedded import Embedded
from ..errors import BadRequest, OpenMiosaError, Unavailable
from .publish import Publisher
from .uvicorn_server import embedded, protocol_for

# (sandbox, secret, version) -> ("refreshed" | "unchanged" | "needs_reauth" | "unavailable", version); connect sets it.
Refresh = Callable[[str, str, int], Awaitable[tuple[str, int]]]

_MAX_BODY = 8 * 1024 * 1024  # a batch of events; egressd ships far less at a time
_UCRED = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED

log = structlog.get_logger(__name__)


async def no_connections(sandbox: str, secret: str, version: int) -> tuple[str, int]:
    """What refresh answers while nothing is connected: the upstream's 401 goes to the sandbox as it is."""
    return "unavailable", version


class LinkServer:
    """Listens on link.sock between `start` and `stop`."""

    def __init__(
        self, path: Path, publisher: Publisher, audit: Audit, *, peer_uids: Collection[int] = (), refresh: Refresh = no_connections
    ) -> None:
        self._path = path
        self._publisher = publisher
        self._audit = audit
        self._peer_uids = frozenset({os.geteuid(), 0, *peer_uids})
        self.refresh = refresh
        self._server: Embedded | None = None

    def app(self) -> Starlette:
        """The routes."""
        routes = [Route(f"/v1/{name}", self._answer(step), methods=["POST"]) for name, step in self._steps().items()]
        return Starlette(routes=routes)

    async def start(self) -> None:
        """Bind and serve."""
        listener = _bind(self._path)
        self._server = embedded(self.app(), protocol_for(self._admits))
        await self._server.start(listener)

    async def stop(self) -> None:
        """Answer what is in flight, then close."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
            self._path.unlink(missing_ok=True)

    def _steps(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        return {"hello": self._hello, "events": self._events, "refresh": self._refresh}

    async def _hello(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            public_key = base64.b64decode(message["public_key"], validate=True)
        except (binascii.Error, TypeError):
            raise BadRequest("public_key is not base64", code="invalid") from None
        if len(public_key) != 32:
            raise BadRequest("public_key has not 32 bytes", code="invalid")
        return {"epoch": await self._publisher.hello(str(message["gateway"]), str(message["boot"]), public_key)}

    async def _events(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"acknowledged": await self._audit.ingest(str(message["gateway"]), message["records"])}

    async def _refresh(self, message: dict[str, Any]) -> dict[str, Any]:
        result, version = await self.refresh(str(message["sandbox"]), str(message["secret"]), int(message["version"]))
        return {"result": result, "version": version}

    def _answer(self, step: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return JSONResponse(await step(await _message(request)))
            except KeyError as error:
                return _error(400, "invalid", f"the field {error.args[0]} is missing", False)
            except (TypeError, ValueError, AttributeError):
                return _error(400, "invalid", "a field has the wrong type", False)
            except OpenMiosaError as error:
                return _error(error.status, error.code.lower(), error.message, error.retry)

        return answer

    def _admits(self, connection: socket.socket) -> bool:
        _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if uid not in self._peer_uids:
            log.warning("link_peer_refused", uid=uid)
            return False
        return True


async def _message(request: Request) -> dict[str, Any]:
    if int(request.headers.get("content-length", 0)) > _MAX_BODY:
        raise BadRequest("the message is too large", code="too_large", status=413)
    message = await request.json()
    if message["v"] != 1:
        raise BadRequest(f"version {message['v']} is not known here; this server speaks 1", code="version_unsupported")
    return dict(message)


def _error(status: int, code: str, message: str, retry: bool) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "retry": retry}}, status)


def _bind(path: Path) -> socket.socket:
    """Listen on the path; a socket left by a process that died is replaced, anything else is not."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
        listener.bind(str(path))
        # The run folder decides who reaches the socket, and the peer's user id who is answered.
        path.chmod(0o666)
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Unavailable(f"cannot listen on {path.name}: {error.strerror}", code="CANNOT_LISTEN", retry=False) from None
    return listener
