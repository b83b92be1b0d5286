"""What was seen: hosts to suggest, and refusals that wait for an approval."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.tables import events, policies, sandboxes, secrets
from ..policy import PolicyRule, covers
from .store import for_sandbox
from .types import Observed

# Refusals that a rule would lift; what is refused for its syntax, its TLS or its address is no matter of approval.
_APPROVABLE = ("host-denied", "method-denied", "literal-denied")
_MAX_INERT = 1000


async def suggestions(tx: AsyncConnection, tenant_id: str, resource_ids: list[str] | None, since: datetime) -> list[Observed]:
    """Hosts that traffic went to in the window, the busiest first."""
    conditions = [events.c.timestamp >= since, events.c.action != "stub", func.coalesce(events.c.protocol, "") != "dns"]
    grouped = await _grouped(tx, tenant_id, resource_ids, conditions)
    merged = _merge((row for row in grouped), by_resource=resource_ids is not None and len(resource_ids) == 1)
    seen = [found for found in merged if found.count > found.denied_count]
    return sorted(seen, key=lambda found: (-found.count, found.host))


async def pending(tx: AsyncConnection, tenant_id: str, resource_ids: list[str] | None) -> list[Observed]:
    """Hosts refused since the lockdown and not allowed since, and secrets that wait for a host."""
    waiting = []
    grouped = await _grouped(tx, tenant_id, resource_ids, [events.c.action == "reject", events.c.reason.in_(_APPROVABLE)])
    ruled: dict[str, tuple[list[PolicyRule], datetime | None]] = {}
    for found in _merge(grouped, by_resource=True):
        sandbox_id = found.resource_id or ""
        if sandbox_id not in ruled:
            ruled[sandbox_id] = await _rules_and_lock(tx, sandbox_id)
        rules, locked_at = ruled[sandbox_id]
        if locked_at is not None and found.last_seen >= locked_at and not covers(rules, found.host, found.port):
            waiting.append(found)
    waiting += await _inert(tx, tenant_id, resource_ids)
    return sorted(waiting, key=lambda found: found.last_seen, reverse=True)


def _place(tenant_id: str, resource_ids: list[str] | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [events.c.tenant_id == tenant_id]
    if resource_ids is not None:
        conditions.append(events.c.resource_id.in_(resource_ids))
    return conditions


async def _grouped(
    tx: AsyncConnection, tenant_id: str, resource_ids: list[str] | None, conditions: Iterable[ColumnElement[bool]]
) -> list[dict[str, Any]]:
    keys = (events.c.resource_id, events.c.resource_type, events.c.host, events.c.port, events.c.method)
    refused = case((events.c.action == "reject", events.c.count), else_=0)
    query = (
        select(
            *keys,
            func.sum(events.c.count).label("count"),
            func.sum(refused).label("denied_count"),
            func.min(events.c.timestamp).label("first_seen"),
            func.max(events.c.timestamp).label("last_seen"),
            func.max(events.c.reason).label("reason"),
        )
        .where(*_place(tenant_id, resource_ids), *conditions)
        .group_by(*keys)
    )
    return [dict(row) for row in (await tx.execute(query)).mappings()]


def _merge(rows: Iterable[dict[str, Any]], *, by_resource: bool) -> list[Observed]:
    """One entry a host and port (and resource), the methods gathered."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["host"], row["port"], row["resource_id"] if by_resource else None)
        groups.setdefault(key, []).append(row)
    found = []
    for (host, port, resource_id), members in groups.items():
        count, denied = (sum(int(row[name]) for row in members) for name in ("count", "denied_count"))
        found.append(
            Observed(
                host=host,
                port=port,
                methods=tuple(sorted({row["method"] for row in members if row["method"]})),
                count=count,
                denied_count=denied,
                first_seen=min(row["first_seen"] for row in members),
                last_seen=max(row["last_seen"] for row in members),
                reason=next((row["reason"] for row in members if row["reason"]), None) or f"observed {count} times",
                resource_id=resource_id,
                resource_type="sandbox" if resource_id else None,
            )
        )
    return found


async def _rules_and_lock(tx: AsyncConnection, sandbox_id: str) -> tuple[list[PolicyRule], datetime | None]:
    sandbox = (await tx.execute(select(sandboxes).where(sandboxes.c.id == sandbox_id))).mappings().one_or_none()
    if sandbox is None:
        return [], None
    _, rules = await for_sandbox(tx, sandbox)
    query = select(func.min(policies.c.locked_at)).where(
        policies.c.tenant_id == sandbox["tenant_id"],
        policies.c.mode == "enforce",
        (policies.c.resource_id == sandbox_id) | policies.c.resource_id.is_(None) | (policies.c.resource_id == sandbox["workspace_id"]),
    )
    return rules, (await tx.execute(query)).scalar_one_or_none()


async def _inert(tx: AsyncConnection, tenant_id: str, resource_ids: list[str] | None) -> list[Observed]:
    query = (
        select(events)
        .where(*_place(tenant_id, resource_ids), events.c.reason == "secret-inert")
        .order_by(events.c.number.desc())
        .limit(_MAX_INERT)
    )
    rows = (await tx.execute(query)).mappings().all()
    wanted = {held["secret"] for row in rows if (held := row["detail"].get("held_back"))}
    still = select(secrets.c.id, secrets.c.bound_hosts).where(secrets.c.id.in_(wanted), secrets.c.deleted_at.is_(None))
    inert = {row.id for row in await tx.execute(still) if not row.bound_hosts}
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        held = row["detail"].get("held_back")
        if held and held["secret"] in inert:
            groups.setdefault((row["host"], row["port"], row["resource_id"], held["name"]), []).append(row)
    return [
        Observed(
            host=host,
            port=port,
            methods=tuple(sorted({row["method"] for row in members if row["method"]})),
            count=sum(row["count"] for row in members),
            denied_count=sum(row["count"] for row in members),
            first_seen=min(row["timestamp"] for row in members),
            last_seen=max(row["timestamp"] for row in members),
            reason="secret-inert",
            resource_id=resource_id,
            resource_type="sandbox",
            secret=name,
        )
        for (host, port, resource_id, name), members in groups.items()
    ]
