"""Lists of events: filters, and cursors that are event ids."""

import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, String, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.tables import events
from ..errors import Invalid, NotFound
from ..identity import Principal
from .shape import ACTIONS, event_of
from .types import Event, EventFilter, EventPage

MAX_LIMIT = 1000


def visible(principal: Principal) -> list[ColumnElement[bool]]:
    """The conditions under which a caller sees an event."""
    conditions: list[ColumnElement[bool]] = [events.c.tenant_id == principal.tenant_id]
    if principal.external_user_id is not None:
        conditions.append(events.c.external_user_id == principal.external_user_id)
    return conditions


def matching(wanted: EventFilter, resource_id: str | None) -> list[ColumnElement[bool]]:
    """The filter as conditions; `since` and `until` include their moment."""
    conditions: list[ColumnElement[bool]] = []
    if resource_id is not None:
        conditions.append(events.c.resource_id == resource_id)
    for name in ("resource_type", "external_user_id", "external_workspace_id"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(events.c[name] == value)
    if wanted.method is not None:
        conditions.append(events.c.method == wanted.method.upper())
    if wanted.host is not None:
        conditions.append(_host(wanted.host.lower()))
    if wanted.action is not None:
        conditions.append(events.c.action == _action(wanted.action))
    if wanted.secret is not None:
        conditions.append(_secret(wanted.secret))
    if wanted.since is not None:
        conditions.append(events.c.timestamp >= wanted.since)
    if wanted.until is not None:
        conditions.append(events.c.timestamp <= wanted.until)
    return conditions


async def totals(tx: AsyncConnection, conditions: Sequence[ColumnElement[bool]]) -> dict[str, int]:
    """Calls by how they went, and their bytes; names that were asked for and never connected to are no calls."""
    counted = func.sum(events.c.count), func.sum(events.c.bytes_in), func.sum(events.c.bytes_out)
    query = select(events.c.action, *counted).where(*conditions, events.c.action != "stub").group_by(events.c.action)
    sums = {"total": 0, "allowed": 0, "refused": 0, "failed": 0, "bytes_in": 0, "bytes_out": 0}
    for action, calls, bytes_in, bytes_out in (await tx.execute(query)).all():
        sums["total"] += int(calls or 0)
        sums[{"allow": "allowed", "reject": "refused"}.get(action, "failed")] += int(calls or 0)
        sums["bytes_in"] += int(bytes_in or 0)
        sums["bytes_out"] += int(bytes_out or 0)
    return sums


async def page(tx: AsyncConnection, conditions: Sequence[ColumnElement[bool]], wanted: EventFilter, after: int | None) -> EventPage:
    """Oldest first. Without `since` and without a cursor: the newest, still oldest first."""
    limit = max(1, min(wanted.limit, MAX_LIMIT))
    query = select(events).where(*conditions)
    if after is None and wanted.since is None:
        rows = (await tx.execute(query.order_by(events.c.number.desc()).limit(limit))).mappings().all()
        return EventPage([event_of(row) for row in reversed(rows)], None)
    if after is not None:
        query = query.where(events.c.number > after)
    rows = (await tx.execute(query.order_by(events.c.number).limit(limit + 1))).mappings().all()
    found = [event_of(row) for row in rows[:limit]]
    return EventPage(found, found[-1]["id"] if len(rows) > limit else None)


async def number_of(tx: AsyncConnection, principal: Principal, event_id: str) -> int:
    """The number of the event that a cursor names."""
    found = (await tx.execute(select(events.c.number).where(*visible(principal), events.c.id == event_id))).scalar_one_or_none()
    if found is None:
        raise NotFound("no such event; a cursor is the id of an event")
    return int(found)


async def newest(tx: AsyncConnection) -> int:
    """The highest number there is."""
    return (await tx.execute(select(func.max(events.c.number)))).scalar_one() or 0


async def following(tx: AsyncConnection, conditions: Sequence[ColumnElement[bool]], after: int, limit: int) -> list[Event]:
    """The next events after a number."""
    query = select(events).where(*conditions, events.c.number > after).order_by(events.c.number).limit(limit)
    return [event_of(row) for row in (await tx.execute(query)).mappings()]


def _host(host: str) -> ColumnElement[bool]:
    if not host.startswith("*."):
        return events.c.host == host
    return events.c.host.endswith(host[1:], autoescape=True)


def _action(word: str) -> str:
    try:
        return ACTIONS[word.lower()]
    except KeyError:
        raise Invalid("action is allow, reject, stub, error or client_cancel", code="BAD_ACTION", details={"field": "action"}) from None


def _secret(name: str) -> ColumnElement[bool]:
    # The column is JSON that only we write, so a name stands in it in exactly one spelling.
    text = cast(events.c.secrets, String)
    return text.contains(f'"name": {json.dumps(name)}', autoescape=True)
