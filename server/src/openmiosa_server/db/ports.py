"""The other half of a mutation: after its transaction, the data plane must hold it."""

from collections.abc import Iterable
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection


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
