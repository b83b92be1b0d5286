"""Which secret a sandbox gets for a variable: the ladder of scopes, first hit wins.

    1 a binding on the sandbox itself
    2 user                 secrets of the sandbox's owner_user_id
    3 external_user        of its external_user_id
    4 external_workspace   of its external_workspace_id
    5 workspace            of its workspace_id
    6 tenant               of everybody in the tenant

From the second rung on, a secret counts when it has `expose_as_env` and no resource of its own.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.tables import bindings, sandboxes, secrets
from .placeholder import ensure
from .types import EffectiveBinding

# Scope, and the column by which secret and sandbox must agree.
RUNGS = (
    ("user", "owner_user_id"),
    ("external_user", "external_user_id"),
    ("external_workspace", "external_workspace_id"),
    ("workspace", "workspace_id"),
    ("tenant", None),
)


async def effective(tx: AsyncConnection, sandbox: Mapping[str, Any] | RowMapping, *, mint: bool = True) -> list[EffectiveBinding]:
    """What the sandbox gets, one entry a variable; with `mint`, missing placeholders are made and stored."""
    found: dict[str, EffectiveBinding] = {}
    for row in await _direct(tx, sandbox):
        found.setdefault(row["expose_as_env"], _effective(row))
    for secret in await _inherited(tx, sandbox):
        env = secret["expose_as_env"]
        if env in found:
            continue
        binding = await _binding(tx, sandbox, secret, mint)
        if binding is not None:
            found[env] = _effective({**secret, **binding, "version": secret["version"]})
    return [found[env] for env in sorted(found)]


async def reach(tx: AsyncConnection, secret_id: str) -> ColumnElement[bool] | None:
    """The condition for sandboxes that a secret's scope reaches; None when it reaches none."""
    row = (await tx.execute(select(secrets).where(secrets.c.id == secret_id))).mappings().one_or_none()
    if row is None or row["resource_id"] is not None or row["expose_as_env"] is None:
        return None
    tenant: ColumnElement[bool] = sandboxes.c.tenant_id == row["tenant_id"]
    column = dict(RUNGS)[row["scope"]]
    if column is None:
        return tenant
    if row[column] is None:
        return None
    return and_(tenant, sandboxes.c[column] == row[column])


def state_of(status: str, version: int, hosts: list[str] | tuple[str, ...], expires_at: datetime | None) -> str:
    """The state that the data plane sees. A connection that is being made again keeps its old value meanwhile."""
    if not hosts:
        return "inert"
    if status in ("needs_reauth", "failed") or version == 0:
        return "needs_reauth"
    if status == "expired" or (expires_at is not None and expires_at <= now()):
        return "expired"
    return "active"


async def _direct(tx: AsyncConnection, sandbox: Mapping[str, Any] | RowMapping) -> list[dict[str, Any]]:
    query = (
        select(bindings.c.id.label("binding_id"), bindings.c.expose_as_env, bindings.c.placeholder, *_columns())
        .join(secrets, secrets.c.id == bindings.c.secret_id)
        .where(bindings.c.resource_id == sandbox["id"], bindings.c.inherited.is_(False), secrets.c.deleted_at.is_(None))
        .order_by(bindings.c.created_at.desc(), bindings.c.id.desc())  # the newest of two for one variable
    )
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def _inherited(tx: AsyncConnection, sandbox: Mapping[str, Any] | RowMapping) -> list[dict[str, Any]]:
    rungs = []
    for scope, column in RUNGS:
        if column is None:
            rungs.append(secrets.c.scope == scope)
        elif sandbox[column] is not None:
            rungs.append(and_(secrets.c.scope == scope, secrets.c[column] == sandbox[column]))
    query = select(secrets.c.expose_as_env, secrets.c.scope, secrets.c.created_at, *_columns()).where(
        secrets.c.tenant_id == sandbox["tenant_id"],
        secrets.c.deleted_at.is_(None),
        secrets.c.resource_id.is_(None),
        secrets.c.expose_as_env.is_not(None),
        or_(*rungs),
    )
    rows = [dict(row) for row in (await tx.execute(query)).mappings()]
    order = {scope: place for place, (scope, _) in enumerate(RUNGS)}
    rows.sort(key=lambda row: (row["created_at"], row["secret_id"]), reverse=True)
    return sorted(rows, key=lambda row: order[row["scope"]])  # stable: the newest first on each rung


async def _binding(
    tx: AsyncConnection, sandbox: Mapping[str, Any] | RowMapping, secret: Mapping[str, Any], mint: bool
) -> dict[str, Any] | None:
    env = secret["expose_as_env"]
    if mint:
        row = await ensure(tx, sandbox["tenant_id"], secret["secret_id"], sandbox["id"], env, inherited=True)
    else:
        query = select(bindings).where(
            bindings.c.secret_id == secret["secret_id"], bindings.c.resource_id == sandbox["id"], bindings.c.expose_as_env == env
        )
        held = (await tx.execute(query)).mappings().one_or_none()
        if held is None:
            return None
        row = dict(held)
    return {"binding_id": row["id"], "expose_as_env": env, "placeholder": row["placeholder"]}


def _columns() -> list[Any]:
    names = ("name", "status", "version", "type", "bound_hosts", "expires_at")
    return [secrets.c.id.label("secret_id"), *(secrets.c[name] for name in names)]


def _effective(row: Mapping[str, Any]) -> EffectiveBinding:
    return EffectiveBinding(
        binding_id=row["binding_id"],
        secret_id=row["secret_id"],
        name=row["name"],
        env=row["expose_as_env"],
        placeholder=row["placeholder"],
        hosts=tuple(row["bound_hosts"]),
        state=state_of(row["status"], row["version"], row["bound_hosts"], row["expires_at"]),
        connected=row["type"] in ("oauth_connect", "oauth_machine"),
        version=row["version"],
        expires_at=row["expires_at"],
    )
