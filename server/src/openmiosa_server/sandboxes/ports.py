"""What the lifecycle of a sandbox needs from its neighbours; main hands in the real ones."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..identity import Principal, RequestInfo


class Publishes(Protocol):
    """Carries a sandbox's snapshot to the data plane and takes it back."""

    async def touch(self, tx: AsyncConnection, sandbox_ids: Iterable[str]) -> None:
        """Raise the revision, mint placeholders."""

    async def publish(self, sandbox_id: str) -> None:
        """Put leases and the newest snapshot; returns when it is enforced."""

    async def withdraw(self, sandbox_id: str) -> None:
        """Take the snapshot back; returns when nothing of the sandbox gets out any more."""


class Binds(Protocol):
    """Placeholders, by variable."""

    async def environment(self, sandbox_id: str) -> dict[str, str]:
        """The variables with placeholders that an exec gets."""

    async def drop(self, tx: AsyncConnection, sandbox_id: str) -> None:
        """Delete the bindings of a sandbox that ends."""


class Keeps(Protocol):
    """The vault, as far as a sandbox's end needs it."""

    async def drop(self, tx: AsyncConnection, sandbox_id: str) -> None:
        """Destroy the secrets that only this sandbox had."""


class Policies(Protocol):
    """The policy that every sandbox is born with."""

    async def create_default(self, tx: AsyncConnection, sandbox: RowMapping) -> Any:
        """Make it, in the creating transaction."""


class Authorities(Protocol):
    """The interception authority of a sandbox: made here, its key kept wrapped."""

    async def create(self, tx: AsyncConnection, tenant_id: str, sandbox_id: str) -> str:
        """Make one, keep its key, return its certificate as PEM."""

    async def destroy(self, tx: AsyncConnection, sandbox_id: str) -> None:
        """Destroy the key."""


class Authorizes(Protocol):
    """Decides and records."""

    async def authorize(
        self,
        principal: Principal,
        scope: str,
        action: str,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        request: RequestInfo | None = None,
        record: bool = True,
    ) -> None:
        """Return when allowed, raise when not."""


class Templates(Protocol):
    """What sandboxes are made from."""

    def get(self, template_id: str) -> "HasLayers":
        """One template by id; NotFound when there is none."""

    def programs(self) -> Mapping[str, bytes]:
        """Programs that every new sandbox finds in its own folder, by their paths inside."""


class HasLayers(Protocol):
    """A template as far as a launch needs it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def layers(self) -> list[Path]:
        """Its layers, the upmost first."""
