"""The administrative log: who did, or was refused, what. Written here and nowhere else."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.ids import new_id
from ..db.tables import admin_log, api_keys
from .types import AdminEntry, AdminFilter, Principal, RequestInfo

MAX_LIMIT = 500


async def write(
    tx: AsyncConnection,
    *,
    tenant_id: str,
    actor_id: str | None,
    actor_type: str,
    action: str,
    outcome: str,
    resource_type: str | None = None,
    resource_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    request: RequestInfo | None = None,
) -> None:
    """Add one entry."""
    await tx.execute(
        insert(admin_log).values(
            id=new_id("adm"),
            tenant_id=tenant_id,
            actor_id=actor_id,
            actor_type=actor_type,
            action=action,
            outcome=outcome,
            resource_type=resource_type,
            resource_id=None if resource_id is None else resource_id[:255],
            metadata=metadata or {},
            ip_address=request.ip_address if request else None,
            request_id=request.request_id if request else None,
            created_at=now(),
        )
    )


async def entries(tx: AsyncConnection, principal: Principal, wanted: AdminFilter) -> tuple[list[AdminEntry], str | None]:
    """Entries of the tenant, newest first, and the cursor of the next page."""
    table = admin_log.c
    query = select(admin_log).where(*_matching(principal, wanted))
    if wanted.cursor is not None:
        last = select(table.created_at).where(table.id == wanted.cursor, table.tenant_id == principal.tenant_id).scalar_subquery()
        query = query.where(or_(table.created_at < last, and_(table.created_at == last, table.id < wanted.cursor)))
    limit = max(1, min(wanted.limit, MAX_LIMIT))
    if wanted.page is not None:
        query = query.offset((wanted.page - 1) * limit)
    rows = (await tx.execute(query.order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1))).mappings().all()
    found = [AdminEntry(**row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


async def count(tx: AsyncConnection, principal: Principal, wanted: AdminFilter) -> int:
    """How many entries there are, on all pages."""
    query = select(func.count()).select_from(admin_log).where(*_matching(principal, wanted))
    return int((await tx.execute(query)).scalar_one())


def _matching(principal: Principal, wanted: AdminFilter) -> list[ColumnElement[bool]]:
    """An external user's key sees what that user's keys did."""
    table, tenant_id = admin_log.c, principal.tenant_id
    conditions: list[ColumnElement[bool]] = [table.tenant_id == tenant_id]
    if principal.external_user_id is not None:
        own = select(api_keys.c.id).where(api_keys.c.tenant_id == tenant_id, api_keys.c.external_user_id == principal.external_user_id)
        conditions.append(table.actor_id.in_(own))
    for name in ("action", "actor_id", "resource_type", "resource_id"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(table[name] == value)
    if wanted.kind is not None:
        conditions.append(_of_kind(wanted.kind))
    if wanted.about is not None:
        done_to = and_(table.resource_type == "api_key", table.resource_id == wanted.about)
        conditions.append(or_(table.actor_id == wanted.about, done_to))
    if wanted.since is not None:
        conditions.append(table.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(table.created_at <= wanted.until)
    return conditions


def _of_kind(kind: str) -> ColumnElement[bool]:
    """`sandbox:process:start`, also with dots, and `*` for any part."""
    pattern = kind.replace(".", ":").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return admin_log.c.action.like(pattern, escape="\\")
