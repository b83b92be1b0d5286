"""What the vault needs from what stands above it."""

from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from .types import Secret
from .value import SecretValue


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
