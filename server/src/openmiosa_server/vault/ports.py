"""What the services of the core need from the link, so that they need not import it."""

from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from .types import Secret
from .value import SecretValue


class Publishes(Protocol):
    """Carries changes to the data plane; `link.publish.Publisher` is the one real implementation.

    `touch` belongs to the transaction of the change, the others come after its commit and return when
    the change is enforced, or raise Unavailable when the data plane lives and does not confirm.
    """

    async def touch(self, tx: AsyncConnection, sandbox_ids: Iterable[str]) -> None:
        """Raise the revision of these sandboxes' snapshots."""

    async def publish(self, sandbox_id: str) -> None:
        """Put the sandbox's leases and its newest snapshot."""

    async def publish_many(self, sandbox_ids: Iterable[str]) -> None:
        """Publish several."""

    async def publish_secret(self, secret_id: str) -> None:
        """Put a secret's newest value, and the snapshots of the sandboxes that use it."""

    async def withdraw_secret(self, secret_id: str, sandbox_ids: Iterable[str]) -> None:
        """Take a deleted secret's value back, and publish the sandboxes that used it."""


class Binds(Protocol):
    """What the vault needs from bindings, which stand above it; `bindings.Binder` is the one real implementation."""

    def bound_hosts(
        self, *, allowed_hosts: tuple[str, ...], env: str | None, provider: str | None, value: SecretValue | None
    ) -> tuple[str, ...]:
        """The hosts that may receive the value: as given, else from the provider catalogue, else none (inert)."""

    async def bind(self, tx: AsyncConnection, secret: Secret, sandbox_id: str, env: str) -> dict[str, Any]:
        """Bind the secret to the sandbox under the variable; an equal binding is kept with its placeholder."""

    async def users(self, tx: AsyncConnection, secret_id: str) -> list[str]:
        """The sandboxes whose snapshot may hold this secret: bound ones, and those its scope reaches."""

    async def forget(self, tx: AsyncConnection, secret_id: str) -> None:
        """Delete the bindings of a secret."""
