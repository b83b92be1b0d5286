"""Writing a secret inside a transaction: the row, the envelope, the binding; what `service.py` and connect share."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.ids import new_id
from ..db.tables import secrets, tenants
from ..errors import Invalid, NotFound
from . import grammar
from .envelopes import Envelopes
from .ports import Binds
from .rows import same_place, secret_of
from .types import BoundSecret, Secret, SetSecret
from .value import SecretValue


def check(given: SetSecret) -> None:
    """Everything about a secret that can be judged without the database."""
    grammar.check_name(given.name)
    grammar.check_scope(given.scope)
    if given.value is not None:
        grammar.check_value(given.value)
    if given.refresh_token is not None:
        grammar.check_value(given.refresh_token, "refresh_token")
    if given.expose_as_env is not None:
        grammar.check_env(given.expose_as_env)
    if not 1 <= len(given.type) <= 64:
        raise Invalid("type has 1 to 64 characters", code="BAD_TYPE", details={"field": "type"})
    needed = {"workspace": "workspace_id", "external_user": "external_user_id", "external_workspace": "external_workspace_id"}
    owner = needed.get(given.scope)
    if owner is not None and getattr(given, owner) is None and given.resource_id is None:
        raise Invalid(f"scope {given.scope} needs {owner}", code="MISSING_OWNER", details={"field": owner})


async def put(
    tx: AsyncConnection,
    envelopes: Envelopes,
    binder: Binds,
    given: SetSecret,
    *,
    tenant_id: str,
    resource: tuple[str | None, str | None],
    status: str,
) -> BoundSecret:
    """Insert or replace the secret in its place, with its value and, where a variable and a sandbox are named, its binding."""
    # Writers of one tenant take turns here on PostgreSQL, so that two sets of one name are one secret.
    await tx.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
    held = await same_place(tx, tenant_id, given, resource[0])
    hosts = binder.bound_hosts(
        allowed_hosts=given.allowed_hosts,
        env=given.expose_as_env or (held.expose_as_env if held else None),
        provider=given.provider,
        value=given.value,
    )
    moment = now()
    row: dict[str, Any] = {
        "type": given.type,
        "status": status,
        "provider": given.provider,
        "expose_as_env": given.expose_as_env or (held.expose_as_env if held else None),
        "allowed_hosts": list(given.allowed_hosts),
        "bound_hosts": list(hosts),
        "metadata": given.metadata,
        # A connection being made again has no value yet: the one that is there keeps its expiry.
        "expires_at": given.expires_at if given.value is not None or held is None else held.expires_at,
        "updated_at": moment,
    }
    if held is None:
        secret_id = new_id("sec")
        owners = ("name", "scope", "workspace_id", "owner_user_id", "external_user_id", "external_workspace_id")
        row |= {
            "id": secret_id,
            "tenant_id": tenant_id,
            "version": 0,
            "created_at": moment,
            "resource_id": resource[0],
            "resource_type": resource[1],
        }
        await tx.execute(insert(secrets).values(**row, **{name: getattr(given, name) for name in owners}))
    else:
        secret_id = held.id
        await tx.execute(update(secrets).where(secrets.c.id == secret_id).values(**row))
    if given.value is not None:
        await new_value(tx, envelopes, tenant_id, secret_id, given.value)
    if given.refresh_token is not None:
        await envelopes.store(tx, tenant_id, secret_id, "refresh_token", given.refresh_token)
    secret = await by_id(tx, secret_id)
    binding = None
    if given.expose_as_env is not None and resource[0] is not None:
        binding = await binder.bind(tx, secret, resource[0], given.expose_as_env)
    return BoundSecret(secret, binding)


async def new_value(tx: AsyncConnection, envelopes: Envelopes, tenant_id: str, secret_id: str, value: SecretValue) -> int:
    """Store a value and note its version and preview."""
    version = await envelopes.store(tx, tenant_id, secret_id, "value", value)
    await tx.execute(
        update(secrets).where(secrets.c.id == secret_id).values(version=version, preview=grammar.preview(value), updated_at=now())
    )
    return version


async def settle(
    tx: AsyncConnection,
    envelopes: Envelopes,
    secret_id: str,
    value: SecretValue | None,
    *,
    status: str,
    expires_at: datetime | None,
    metadata: dict[str, Any] | None,
) -> Secret:
    """What a connection does when its provider answered: a new value, a status, or both."""
    secret = await by_id(tx, secret_id)
    if value is not None:
        grammar.check_value(value)
        await new_value(tx, envelopes, secret.tenant_id, secret_id, value)
    row: dict[str, Any] = {"status": status, "updated_at": now(), "metadata": {**secret.metadata, **(metadata or {})}}
    if value is not None or expires_at is not None:
        row["expires_at"] = expires_at
    await tx.execute(update(secrets).where(secrets.c.id == secret_id).values(**row))
    return await by_id(tx, secret_id)


async def by_id(tx: AsyncConnection, secret_id: str) -> Secret:
    """A living secret by its id, whoever it belongs to."""
    query = select(secrets).where(secrets.c.id == secret_id, secrets.c.deleted_at.is_(None))
    row = (await tx.execute(query)).mappings().one_or_none()
    if row is None:
        raise NotFound("no such secret")
    return secret_of(row)
