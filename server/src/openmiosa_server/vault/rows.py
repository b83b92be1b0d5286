"""Rows of the table `secrets`: finding, listing, and their form in memory."""

from typing import Any

from sqlalchemy import Column, ColumnElement, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.lookup import visible_sandboxes
from ..db.tables import sandboxes, secrets
from ..errors import Invalid, NotFound
from ..identity import Principal
from .types import Secret, SecretFilter, SetSecret

_OWNERS = ("workspace_id", "owner_user_id", "external_user_id", "external_workspace_id")


def secret_of(row: RowMapping | dict[str, Any]) -> Secret:
    """The description of a stored secret."""
    values = {name: row[name] for name in Secret.__dataclass_fields__}
    values["allowed_hosts"] = tuple(values["allowed_hosts"])
    values["bound_hosts"] = tuple(values["bound_hosts"])
    return Secret(**values)


def visible(principal: Principal) -> list[ColumnElement[bool]]:
    """The conditions under which a caller sees a secret; an external user's key sees that user's alone."""
    conditions: list[ColumnElement[bool]] = [secrets.c.tenant_id == principal.tenant_id, secrets.c.deleted_at.is_(None)]
    if principal.external_user_id is not None:
        own = select(sandboxes.c.id).where(*visible_sandboxes(principal.tenant_id, principal.external_user_id))
        conditions.append(or_(secrets.c.external_user_id == principal.external_user_id, secrets.c.resource_id.in_(own)))
    return conditions


async def find(tx: AsyncConnection, principal: Principal, id_or_name: str, resource_id: str | None) -> Secret:
    """The secret with this id; else with this name on the resource; else with this name and no resource."""
    seen = visible(principal)
    by_id = (await tx.execute(select(secrets).where(*seen, secrets.c.id == id_or_name))).mappings().one_or_none()
    if by_id is not None:
        return secret_of(by_id)
    named = select(secrets).where(*seen, secrets.c.name == id_or_name)
    if resource_id is not None:
        rows = (await tx.execute(named.where(secrets.c.resource_id == resource_id))).mappings().all()
        if rows:
            return _only(rows)
    rows = (await tx.execute(named.where(secrets.c.resource_id.is_(None)))).mappings().all()
    if not rows and resource_id is None:
        rows = (await tx.execute(named)).mappings().all()
    return _only(rows)


async def listed(tx: AsyncConnection, principal: Principal, wanted: SecretFilter, resource_id: str | None) -> list[Secret]:
    """The secrets that match, oldest first."""
    query = select(secrets).where(*visible(principal))
    for name in ("name", "scope", "type", "provider", *_OWNERS, "resource_type"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(secrets.c[name] == value)
    if resource_id is not None:
        query = query.where(secrets.c.resource_id == resource_id)
    return [secret_of(row) for row in (await tx.execute(query.order_by(secrets.c.created_at, secrets.c.id))).mappings()]


async def same_place(tx: AsyncConnection, tenant_id: str, given: SetSecret, resource_id: str | None) -> Secret | None:
    """The secret that setting `given` would replace: same name, scope, owner and resource."""
    query = select(secrets).where(
        secrets.c.tenant_id == tenant_id,
        secrets.c.deleted_at.is_(None),
        secrets.c.name == given.name,
        secrets.c.scope == given.scope,
        _is(secrets.c.resource_id, resource_id),
        *(_is(secrets.c[name], getattr(given, name)) for name in _OWNERS),
    )
    row = (await tx.execute(query)).mappings().one_or_none()
    return None if row is None else secret_of(row)


def _is(column: Column[Any], value: str | None) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _only(rows: Any) -> Secret:
    if not rows:
        raise NotFound("no such secret; `openmiosa secrets list` shows those there are, and resource_id says which sandbox is meant")
    if len(rows) > 1:
        raise Invalid(
            "several secrets have this name; use the id, or say which sandbox with resource_id",
            code="AMBIGUOUS_NAME",
            details={"ids": [row["id"] for row in rows]},
        )
    return secret_of(rows[0])
