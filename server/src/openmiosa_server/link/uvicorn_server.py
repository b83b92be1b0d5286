"""The link's uvicorn: a look at each connection before a byte of it is read."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..embedded import Embedded

_DRAIN = 5  # seconds


def embedded(app: Starlette, protocol: type[asyncio.Protocol]) -> Embedded:
    """The link's own listener: no WebSockets, and nobody's proxy in front of it."""
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN,
    )
    return Embedded(config)


def protocol_for(admits: Callable[[socket.socket], bool]) -> type[asyncio.Protocol]:
    """The HTTP protocol, closing what is not admitted before it reads."""

    class Admitting(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            if admits(transport.get_extra_info("socket")):
                super().connection_made(transport)
            else:
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            if getattr(self, "transport", None) is not None:
                super().connection_lost(exc)

    return Admitting
