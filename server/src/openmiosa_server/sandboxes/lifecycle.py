"""What happens to sandboxes, told to whoever watches: live, in memory, and not kept.

The administrative log keeps who asked for it; this tells that it came true, also when nobody asked (a timeout, an exit).
"""

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from ..db.clock import now, rfc3339
from ..db.ids import new_id
from ..identity import Principal
from .types import Sandbox

BUFFER = 1000  # of one watcher; a slower one misses the oldest

Happening = dict[str, Any]


class Lifecycle:
    """The fan-out: `tell` never waits, `follow` gives what comes from the call on."""

    def __init__(self) -> None:
        # Weak, since who was to watch may fail before its first look, and nobody would take its buffer away.
        self._watchers: weakref.WeakSet[_Watcher] = weakref.WeakSet()

    def tell(self, kind: str, sandbox: Sandbox, **details: Any) -> None:
        """Tell it, shaped so that a loop that prints calls is not upset: it has an action and a host too."""
        if not self._watchers:
            return
        moment = rfc3339(now())
        told: Happening = {
            "id": new_id("lev"),
            "tenant_id": sandbox.tenant_id,
            "resource_id": sandbox.id,
            "resource_type": "sandbox",
            "action": kind,
            "effect": "allow",
            "host": sandbox.name,
            "status_code": 0,
            "external_user_id": sandbox.external_user_id,
            "external_workspace_id": sandbox.external_workspace_id,
            "request_transforms": {"secrets": {"swapped": []}},
            "metadata": details,
            "timestamp": moment,
            "inserted_at": moment,
        }
        for watcher in self._watchers:
            watcher.offer(told)

    def watched(self, sandbox: Sandbox) -> bool:
        """Whether somebody would hear of it."""
        about = {"tenant_id": sandbox.tenant_id, "resource_id": sandbox.id, "external_user_id": sandbox.external_user_id}
        return any(watcher.wants(about) for watcher in self._watchers)

    def follow(self, principal: Principal, sandbox_id: str | None = None) -> AsyncIterator[Happening]:
        """What the caller may see, of one sandbox or of all."""

        def wants(told: Happening) -> bool:
            return (
                told["tenant_id"] == principal.tenant_id
                and (sandbox_id is None or told["resource_id"] == sandbox_id)
                and (principal.external_user_id is None or told["external_user_id"] == principal.external_user_id)
            )

        watcher = _Watcher(wants, self._watchers.discard)
        self._watchers.add(watcher)  # at once, not at the first look
        return watcher


class _Watcher(AsyncIterator[Happening]):
    """One watcher's buffer."""

    def __init__(self, wants: Callable[[Happening], bool], leave: "Callable[[_Watcher], None]") -> None:
        self.wants = wants
        self._leave = leave
        self._waiting: deque[Happening] = deque(maxlen=BUFFER)
        self._ready = asyncio.Event()

    def offer(self, told: Happening) -> None:
        """Take in what it wants."""
        if self.wants(told):
            self._waiting.append(told)
            self._ready.set()

    async def __anext__(self) -> Happening:
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        return self._waiting.popleft()

    async def aclose(self) -> None:
        """Watch no more."""
        self._leave(self)
