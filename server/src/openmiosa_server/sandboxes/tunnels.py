"""Tunnels: the bytes of one TCP connection to a port of a sandbox's own loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import Conflict, Invalid
from ..identity import Principal, RequestInfo
from .backends import Stream
from .backends.local import NotRunning
from .reach import Reach

SSH = 22


class Tunnels:
    """Opens them; each lasts as long as who opened it stays."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    @asynccontextmanager
    async def open(self, principal: Principal, key: str, port: int, *, request: RequestInfo | None = None) -> AsyncIterator[Stream]:
        """A connection; refused with what to do when nothing listens there."""
        sandbox = await self._reach.into(principal, key, "sandboxes:write", "sandbox:tunnel:open", request)
        if not 1 <= port <= 65535:
            raise Invalid("a port is a number from 1 to 65535", details={"field": "port"})
        # Asked first, so that what is refused below can only be the port.
        await self._reach.do(sandbox, lambda: self._reach.backend.stat(sandbox.id, "/"))
        with self._reach.sandboxes.activity.use(sandbox.id):
            connection = self._reach.backend.connect(sandbox.id, port)
            try:
                stream = await connection.__aenter__()
            except NotRunning:
                raise Conflict(_nobody(port), code="NOTHING_LISTENS", details={"port": port}) from None
            try:
                yield stream
            finally:
                await connection.__aexit__(None, None, None)


def _nobody(port: int) -> str:
    if port == SSH:
        return "no SSH server listens on port 22 inside; start one there, or use the terminal, which needs none"
    return f"nothing listens on 127.0.0.1:{port} inside; start the server first"
