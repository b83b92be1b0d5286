"""The way into a running sandbox: authorise, find, wake up, and start again what the runtime lost."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import NotFound
from ..identity import Principal, RequestInfo
from .backends import Backend
from .backends.local import NotRunning
from .service import Sandboxes
from .types import Sandbox

Answer = TypeVar("Answer")


class Reach:
    """What exec, files and snapshots share."""

    def __init__(self, sandboxes: Sandboxes, backend: Backend) -> None:
        self.sandboxes = sandboxes
        self.backend = backend

    async def into(
        self, principal: Principal, key: str, scope: str, action: str, request: RequestInfo | None, *, wake: bool = True
    ) -> Sandbox:
        """The sandbox, authorised and (unless only looked at) running."""
        sandbox = await self.sandboxes.lookup(principal, key, scope, action, request)
        return await self.sandboxes.awake(sandbox) if wake else sandbox

    async def do(self, sandbox: Sandbox, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call the runtime; when it lost the sandbox (it was started again itself), start that and call once more."""
        try:
            return await call()
        except NotRunning:
            pass
        except NotFound:
            if await self.backend.knows(sandbox.id):
                raise
        await self.sandboxes.restart(sandbox)
        return await call()
