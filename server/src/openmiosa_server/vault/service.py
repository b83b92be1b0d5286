"""The vault: values go in, are replaced and destroyed, and come out only to be sealed or sent to their own provider."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.engine import Database
from ..db.lookup import find_sandbox, resolve_resource
from ..db.ports import Publishes
from ..db.tables import connections, secrets
from ..errors import Forbidden, Invalid
from ..identity import Identity, Principal, RequestInfo
from . import grammar, rows, write
from .envelopes import Envelopes
from .ports import Binds
from .types import BoundSecret, RotateSecret, Secret, SecretFilter, SetSecret
from .value import SecretValue


class Vault:
    """Secrets of a tenant. Each mutation: authorize, one transaction, publish, answer."""

    def __init__(self, database: Database, identity: Identity, envelopes: Envelopes, publisher: Publishes, binder: Binds) -> None:
        self._database = database
        self._identity = identity
        self._envelopes = envelopes
        self._publisher = publisher
        self._binder = binder

    @property
    def sealed(self) -> str | None:
        """Why no value can be stored or lent; None when all is well."""
        return self._envelopes.sealed

    async def set(self, principal: Principal, given: SetSecret, *, request: RequestInfo | None = None) -> BoundSecret:
        """Store a secret; the same name in the same scope and resource is a new version of the one that is there."""
        about = {"name": given.name[:255], "secret_scope": given.scope[:24], "resource_id": (given.resource_id or "")[:255]}
        await self._allow(principal, "secrets:write", "vault:secret:set", None, request, **about)
        if given.value is None:
            raise Invalid("value is missing", code="BAD_VALUE", details={"field": "value"})
        given = _owned(principal.external_user_id, given)
        write.check(given)
        self._envelopes.require()
        async with self._database.begin() as tx:
            resource = await resolve_resource(
                tx, principal.tenant_id, principal.external_user_id, given.resource_id, given.resource_type, live=True
            )
            bound = await write.put(
                tx, self._envelopes, self._binder, given, tenant_id=principal.tenant_id, resource=resource, status="ready"
            )
            await self._publisher.touch(tx, await self._binder.users(tx, bound.secret.id))
        await self._publisher.publish_secret(bound.secret.id)
        return bound

    async def list(self, principal: Principal, wanted: SecretFilter | None = None, *, request: RequestInfo | None = None) -> list[Secret]:
        """Descriptions, oldest first."""
        await self._allow(principal, "secrets:read", "vault:secret:list", None, request)
        wanted = wanted or SecretFilter()
        async with self._database.read() as tx:
            resource_id = await self._resource(tx, principal, wanted.resource_id)
            return await rows.listed(tx, principal, wanted, resource_id)

    async def get(
        self,
        principal: Principal,
        id_or_name: str,
        *,
        resource_id: str | None = None,
        scope: str = "secrets:read",
        request: RequestInfo | None = None,
    ) -> Secret:
        """One description; there is no call that answers a value. `scope` is what the call needs that asks this on its way."""
        await self._allow(principal, scope, "vault:secret:get", id_or_name, request)
        async with self._database.read() as tx:
            return await rows.find(tx, principal, id_or_name, await self._resource(tx, principal, resource_id))

    async def rotate(
        self,
        principal: Principal,
        id_or_name: str,
        change: RotateSecret,
        *,
        resource_id: str | None = None,
        request: RequestInfo | None = None,
    ) -> Secret:
        """A new value, the same placeholder: when this returns, no later request uses the old one."""
        # Where a value may go is the one thing about a rotation that whoever reads the log must be able to see.
        about = {} if change.allowed_hosts is None else {"allowed_hosts": [host[:255] for host in change.allowed_hosts[:64]]}
        await self._allow(principal, "secrets:write", "vault:secret:rotate", id_or_name, request, **about)
        if change == RotateSecret():
            raise Invalid("nothing to change: give value, refresh_token, expires_at, allowed_hosts or metadata", code="NOTHING_TO_CHANGE")
        for field in ("value", "refresh_token"):
            if (value := getattr(change, field)) is not None:
                grammar.check_value(value, field)
        self._envelopes.require()
        async with self._database.begin() as tx:
            held = await rows.find(tx, principal, id_or_name, await self._resource(tx, principal, resource_id))
            await self._change(tx, held, change)
            secret = await write.by_id(tx, held.id)
            if _seen_by_data_plane(held) != _seen_by_data_plane(secret):
                await self._publisher.touch(tx, await self._binder.users(tx, held.id))
        await self._publisher.publish_secret(secret.id)
        return secret

    async def delete(
        self, principal: Principal, id_or_name: str, *, resource_id: str | None = None, request: RequestInfo | None = None
    ) -> Secret:
        """Destroy the value and every binding; when this returns, nothing uses it and its connections are cut."""
        await self._allow(principal, "secrets:write", "vault:secret:delete", id_or_name, request)
        async with self._database.begin() as tx:
            secret = await rows.find(tx, principal, id_or_name, await self._resource(tx, principal, resource_id))
            users = await self._binder.users(tx, secret.id)
            await self._destroy(tx, secret.id)
            await self._publisher.touch(tx, users)
        await self._publisher.withdraw_secret(secret.id, users)
        return secret

    async def drop(self, tx: AsyncConnection, sandbox_id: str) -> None:
        """Destroy the secrets that were set on a sandbox that ends; one that another sandbox has too stays.

        What nobody can use any more shall not lie in the vault, be refreshed, or stand in the way of its name. The
        caller withdraws the sandbox from the data plane.
        """
        own = select(secrets.c.id).where(secrets.c.resource_id == sandbox_id, secrets.c.deleted_at.is_(None))
        for secret_id in (await tx.execute(own)).scalars().all():
            if set(await self._binder.users(tx, secret_id)) <= {sandbox_id}:
                await self._destroy(tx, secret_id)

    async def reserve(
        self,
        tx: AsyncConnection,
        tenant_id: str,
        given: SetSecret,
        *,
        status: str = "pending",
        external_user_id: str | None = None,
    ) -> BoundSecret:
        """For connections: the row and its binding, before there is a token; an existing row goes back to `status`.

        The value that is there stays in use meanwhile. The caller has authorised, and publishes after its commit.
        """
        given = _owned(external_user_id, given)
        write.check(given)
        resource = await resolve_resource(tx, tenant_id, external_user_id, given.resource_id, given.resource_type, live=True)
        bound = await write.put(tx, self._envelopes, self._binder, given, tenant_id=tenant_id, resource=resource, status=status)
        await self._publisher.touch(tx, await self._binder.users(tx, bound.secret.id))
        return bound

    async def settle(
        self,
        tx: AsyncConnection,
        secret_id: str,
        value: SecretValue | None,
        *,
        status: str = "ready",
        expires_at: datetime | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Secret:
        """For connections: a token that came, or a status that changed. The caller publishes after its commit."""
        held = await write.by_id(tx, secret_id)
        secret = await write.settle(tx, self._envelopes, secret_id, value, status=status, expires_at=expires_at, metadata=metadata)
        if _seen_by_data_plane(held) != _seen_by_data_plane(secret):
            await self._publisher.touch(tx, await self._binder.users(tx, secret_id))
        return secret

    async def store(self, tx: AsyncConnection, tenant_id: str, owner_id: str, purpose: str, value: SecretValue) -> int:
        """Store a value that is no secret's own: a refresh token, a client secret, an authority's key."""
        if purpose == "value":
            raise ValueError("values of secrets are stored by set, rotate and settle, which note their version")
        return await self._envelopes.store(tx, tenant_id, owner_id, purpose, value)

    async def lend(self, tx: AsyncConnection, owner_id: str, purpose: str) -> tuple[int, SecretValue]:
        """The newest version and its value, for sealing or for its own provider."""
        return await self._envelopes.lend(tx, owner_id, purpose)

    async def _destroy(self, tx: AsyncConnection, secret_id: str) -> None:
        await self._binder.forget(tx, secret_id)
        await self._envelopes.destroy(tx, secret_id)
        await tx.execute(delete(connections).where(connections.c.secret_id == secret_id))
        await tx.execute(update(secrets).where(secrets.c.id == secret_id).values(deleted_at=now(), preview=None, updated_at=now()))

    async def _change(self, tx: AsyncConnection, held: Secret, change: RotateSecret) -> None:
        row: dict[str, Any] = {"updated_at": now()}
        if change.value is not None:
            await write.new_value(tx, self._envelopes, held.tenant_id, held.id, change.value)
            row |= {"status": "ready", "expires_at": change.expires_at}  # the old expiry was the old value's
        if change.refresh_token is not None:
            await self._envelopes.store(tx, held.tenant_id, held.id, "refresh_token", change.refresh_token)
        if change.expires_at is not None:
            row["expires_at"] = change.expires_at
        if change.metadata is not None:
            row["metadata"] = change.metadata
        if change.allowed_hosts is not None:
            row["allowed_hosts"] = list(change.allowed_hosts)
        if change.allowed_hosts is not None or change.value is not None:
            allowed = held.allowed_hosts if change.allowed_hosts is None else change.allowed_hosts
            hosts = self._binder.bound_hosts(allowed_hosts=allowed, env=held.expose_as_env, provider=held.provider, value=change.value)
            if hosts or change.allowed_hosts is not None:  # a value whose shape says nothing keeps the hosts of the one before
                row["bound_hosts"] = list(hosts)
        await tx.execute(update(secrets).where(secrets.c.id == held.id).values(**row))

    async def _resource(self, tx: AsyncConnection, principal: Principal, resource_id: str | None) -> str | None:
        if resource_id is None:
            return None
        sandbox = await find_sandbox(tx, principal.tenant_id, principal.external_user_id, resource_id)
        return str(sandbox["id"])

    async def _allow(
        self,
        principal: Principal,
        scope: str,
        action: str,
        secret: str | None,
        request: RequestInfo | None,
        **metadata: Any,
    ) -> None:
        await self._identity.authorize(
            principal, scope, action, resource_type="secret", resource_id=secret, metadata=metadata, request=request
        )


def _owned(external_user_id: str | None, given: SetSecret) -> SetSecret:
    """A key of one external user stores that user's secrets and no wider ones."""
    if external_user_id is None or given.resource_id is not None:
        return given
    if given.scope == "external_user" and given.external_user_id in (None, external_user_id):
        return replace(given, external_user_id=external_user_id)
    raise Forbidden("this key belongs to one external user: set secrets on that user's sandboxes, or with scope external_user")


def _seen_by_data_plane(secret: Secret) -> tuple[Any, ...]:
    """What of a secret stands in snapshots; a new value alone needs a lease and no snapshot."""
    return (secret.status, secret.bound_hosts, secret.expires_at, secret.version == 0)
