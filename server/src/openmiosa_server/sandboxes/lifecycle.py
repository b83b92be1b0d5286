"""What happens to sandboxes, told to whoever watches: live, in memory, and not kept.

The administrative log keeps who asked for it; this tells that it came true, also when nobody asked (a timeout, an exit).
"""

import asyncio
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
        self._watchers: dict[object, tuple[Callable[[Happening], bool], deque[Happening], asyncio.Event]] = {}

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
        for wants, waiting, ready in self._watchers.values():
            if wants(told):
                waiting.append(told)
                ready.set()

    def watched(self, sandbox: Sandbox) -> bool:
        """Whether somebody would hear of it."""
        about = {"tenant_id": sandbox.tenant_id, "resource_id": sandbox.id, "external_user_id": sandbox.external_user_id}
        return any(wants(about) for wants, _, _ in self._watchers.values())

    def follow(self, principal: Principal, sandbox_id: str | None = None) -> AsyncIterator[Happening]:
        """What the caller may see, of one sandbox or of all."""

        def wants(told: Happening) -> bool:
            return (
                told["tenant_id"] == principal.tenant_id
                and (sandbox_id is None or told["resource_id"] == sandbox_id)
                and (principal.external_user_id is None or told["external_user_id"] == principal.external_user_id)
            )

        key, waiting, ready = object(), deque[Happening](maxlen=BUFFER), asyncio.Event()
        self._watchers[key] = (wants, waiting, ready)  # at once, not at the first look
        return self._following(key, waiting, ready)

    async def _following(self, key: object, waiting: deque[Happening], ready: asyncio.Event) -> AsyncIterator[Happening]:
        try:
            while True:
                await ready.wait()
                ready.clear()
                while waiting:
                    yield waiting.popleft()
        finally:
            self._watchers.pop(key, None)
