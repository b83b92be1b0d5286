"""Writing down what a provider said: tokens that came, a flow that failed, an account that must be asked again."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.engine import Database
from ..identity import admin_log
from ..vault import Vault
from . import rows
from .protocol import Tokens, refresh_moment
from .types import Publishes


class AccountMismatch(Exception):
    """Somebody else consented than the one whose connection this is."""

    def __init__(self, had: str, got: str) -> None:
        super().__init__("account mismatch")
        self.message = f"this connection belongs to {had}, and {got} consented; delete the secret first to connect another account"


class Ledger:
    """Every change: one transaction, then publish."""

    def __init__(self, database: Database, vault: Vault, publisher: Publishes) -> None:
        self._database = database
        self._vault = vault
        self._publisher = publisher

    async def connected(self, flow: RowMapping, tokens: Tokens, account: str | None) -> None:
        """A flow came to its good end."""
        async with self._database.begin() as tx:
            held = await rows.connection(tx, flow["secret_id"])
            if held is not None and held["account"] and account and held["account"] != account:
                raise AccountMismatch(held["account"], account)
            if not await rows.end_flow(tx, flow["state_hash"], "completed"):
                return
            scopes = tokens.scopes or tuple(flow["request"].get("scopes") or ())
            about = {"provider": flow["provider"], "account": account, "scopes": list(scopes)}
            await self.write(tx, flow["tenant_id"], flow["secret_id"], tokens, {**about, "settings": {}})
            await self._note(tx, (flow["tenant_id"], flow["secret_id"]), "connect:connection:complete", "allowed", about)
        await self._publisher.publish_secret(flow["secret_id"])

    async def write(self, tx: AsyncConnection, tenant_id: str, secret_id: str, tokens: Tokens, about: Mapping[str, Any]) -> int:
        """The rotated refresh token first, then the access token, in one commit: nothing is used before it is safe."""
        refreshable = tokens.refresh is not None or bool(about.get("settings")) or about.get("refreshable", False)
        if tokens.refresh is not None:
            await self._vault.store(tx, tenant_id, secret_id, "refresh_token", tokens.refresh)
        secret = await self._vault.settle(tx, secret_id, tokens.access, expires_at=tokens.expires_at)
        values = {key: value for key, value in about.items() if key != "refreshable"}
        await rows.put_connection(
            tx,
            secret_id,
            {
                **values,
                "tenant_id": tenant_id,
                "state": "ready" if refreshable else "no_refresh",
                "expires_at": tokens.expires_at,
                "refresh_after": refresh_moment(tokens.expires_at, tokens.lifetime) if refreshable else None,
                "refreshing_until": None,
                "failures": 0,
                "last_error": None,
            },
        )
        return secret.version

    async def failed(self, flow: RowMapping, status: str, error: str, message: str) -> None:
        """A flow came to nothing; what was connected before stays as it was."""
        async with self._database.begin() as tx:
            if not await rows.end_flow(tx, flow["state_hash"], status, error=error[:64], message=message[:1000]):
                return
            await self._restore(tx, flow["secret_id"])
            about = {"provider": flow["provider"], "error": error[:64]}
            await self._note(tx, (flow["tenant_id"], flow["secret_id"]), "connect:connection:complete", "failed", about)
        await self._publisher.publish_secret(flow["secret_id"])

    async def lost(self, secret: RowMapping, error: str, message: str) -> None:
        """The provider took the grant back: said once, and nothing is tried again until somebody consents anew."""
        async with self._database.begin() as tx:
            held = await rows.connection(tx, secret["id"])
            if held is None or held["state"] == "needs_reauth":
                return
            await rows.change_connection(
                tx, secret["id"], state="needs_reauth", refresh_after=None, refreshing_until=None, last_error=message[:1000]
            )
            await self._vault.settle(tx, secret["id"], None, status="needs_reauth")
            about = {"provider": held["provider"], "account": held["account"], "error": error[:64], "name": secret["name"]}
            await self._note(tx, (secret["tenant_id"], secret["id"]), "connect:connection:needs_reauth", "failed", about)
        await self._publisher.publish_secret(secret["id"])

    async def _restore(self, tx: AsyncConnection, secret_id: str) -> None:
        secret = await rows.secret_row(tx, secret_id)
        if secret is None:
            return
        held = await rows.connection(tx, secret_id)
        kept = {"needs_reauth": "needs_reauth"}.get(held["state"], "ready") if held is not None else "failed"
        status = kept if secret["version"] else "failed"
        await self._vault.settle(tx, secret_id, None, status=status)

    async def _note(self, tx: AsyncConnection, owner: tuple[str, str], action: str, outcome: str, metadata: Mapping[str, Any]) -> None:
        tenant_id, secret_id = owner
        await admin_log.write(
            tx,
            tenant_id=tenant_id,
            actor_id=None,
            actor_type="provider",
            action=action,
            outcome=outcome,
            resource_type="secret",
            resource_id=secret_id,
            metadata=dict(metadata),
        )
