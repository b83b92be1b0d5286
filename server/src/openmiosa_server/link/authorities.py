"""Interception authorities as the lifecycle of a sandbox needs them: the certificate in hand, the key in an envelope."""

from sqlalchemy.ext.asyncio import AsyncConnection

from ..vault.envelopes import Envelopes
from ..vault.value import SecretValue
from . import authority


class Authorities:
    """Made in the transaction that creates the sandbox, destroyed in the one that ends it."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes

    async def create(self, tx: AsyncConnection, tenant_id: str, sandbox_id: str) -> str:
        """Make one, keep its key, return its certificate as PEM."""
        certificate, key = authority.make(sandbox_id)
        await self._envelopes.store(tx, tenant_id, sandbox_id, "authority_key", SecretValue(key))
        return certificate

    async def destroy(self, tx: AsyncConnection, sandbox_id: str) -> None:
        """Destroy the key."""
        await self._envelopes.destroy(tx, sandbox_id)
