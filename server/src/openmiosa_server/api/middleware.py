"""What happens to every request before it is routed: an id, one slash, headers that browsers obey, a line in the log."""

import re
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import NotFound
from .answers import failure

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_SLASHES = re.compile(r"/{2,}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

log = structlog.get_logger("openmiosa_server.access")


class Edge:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, *, new_request_id: Any) -> None:
        self._app = app
        self._new_request_id = new_request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope["request_id"] = request_id
        _one_slash(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.monotonic()
        status = 0

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(name, value) for name, value in (*_HEADERS, (b"x-request-id", request_id.encode())) if name not in present]
                message = {**message, "headers": [*message["headers"], *extra]}
            elif message["type"] == "websocket.accept":
                status = 101
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", request_id.encode())]}
            await send(message)

        try:
            if b"\0" in scope["path"].encode(errors="surrogatepass"):
                await failure(NotFound("there is no such route", code="NO_ROUTE"), request_id)(scope, receive, with_headers)
            else:
                await self._app(scope, receive, with_headers)
        finally:
            route = getattr(scope.get("route"), "path", None)
            if route not in ("/healthz", "/readyz", "/metrics"):
                took = round((time.monotonic() - began) * 1000, 1)
                log.info("request", method=scope.get("method", "WS"), path=scope["path"][:512], status=status, took_ms=took)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            given: str = value.decode("latin-1") if name == b"x-request-id" else ""
            if _GIVEN_ID.match(given):
                return given
        return str(self._new_request_id())


def _one_slash(scope: Scope) -> None:
    # Go's client joins a base URL that ends in a slash with paths that begin with one.
    if "//" in scope["path"]:
        scope["path"] = _SLASHES.sub("/", scope["path"])
        raw = scope.get("raw_path")
        if raw is not None:
            scope["raw_path"] = re.sub(rb"/{2,}", b"/", raw)
