"""Taking in what egressd ships: every record exactly once, one row an event, acknowledged after commit."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.tables import event_records, events, sandboxes, secrets
from ..errors import BadRequest
from .shape import event_of, outcome_of, row_of
from .types import Event

log = structlog.get_logger(__name__)


async def ingest(tx: AsyncConnection, gateway: str, records: Sequence[Mapping[str, Any]]) -> tuple[int, list[Event]]:
    """Store the records that are new; the highest sequence number stored, and the events they made, in order."""
    fresh = await _fresh(tx, gateway, records)
    made: list[Event] = []
    if fresh:
        moment = now()
        await tx.execute(insert(event_records), [_stored(gateway, record, moment) for record in fresh])
        decisions = [record for record in fresh if record["kind"] == "decision"]
        made = await _decisions(tx, decisions)
        await _outcomes(tx, [record for record in fresh if record["kind"] == "outcome"])
        await _note_use(tx, decisions)
    highest = select(func.max(event_records.c.seq)).where(event_records.c.gateway == gateway)
    return (await tx.execute(highest)).scalar_one() or 0, made


async def _fresh(tx: AsyncConnection, gateway: str, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    numbered: dict[int, Mapping[str, Any]] = {}
    for record in records:
        seq = record.get("seq")
        if not isinstance(seq, int) or not all(isinstance(record.get(name), str) for name in ("kind", "event", "sandbox", "at")):
            raise BadRequest("a record lacks seq, kind, event, sandbox or at", code="bad_record")
        numbered.setdefault(seq, record)
    column = event_records.c
    query = select(column.seq).where(column.gateway == gateway, column.seq.in_(list(numbered)))
    held = set((await tx.execute(query)).scalars())
    return [numbered[seq] for seq in sorted(numbered) if seq not in held]


async def _decisions(tx: AsyncConnection, records: Sequence[Mapping[str, Any]]) -> list[Event]:
    ids = [record["event"] for record in records]
    # An event may come again under another number; its record is kept, its row is there.
    seen = set((await tx.execute(select(events.c.id).where(events.c.id.in_(ids)))).scalars())
    owners = await _sandboxes(tx, {record["sandbox"] for record in records})
    rows: dict[str, dict[str, Any]] = {}
    for record in records:
        if record["sandbox"] not in owners:
            log.error("event_of_unknown_sandbox", sandbox=record["sandbox"][:40], event_id=record["event"][:40])
        elif record["event"] not in seen:
            rows.setdefault(record["event"], row_of(record, owners[record["sandbox"]]))
    if not rows:
        return []
    numbers = await tx.execute(insert(events).returning(events.c.number, sort_by_parameter_order=True), list(rows.values()))
    open_ended = {"bytes_in": None, "bytes_out": None, "duration_us": None, "ended_as": None}
    return [event_of({**row, **open_ended, "number": number}) for row, number in zip(rows.values(), numbers.scalars(), strict=True)]


async def _sandboxes(tx: AsyncConnection, ids: set[str]) -> dict[str, RowMapping]:
    columns = (sandboxes.c.id, sandboxes.c.tenant_id, sandboxes.c.external_user_id, sandboxes.c.external_workspace_id)
    found = (await tx.execute(select(*columns).where(sandboxes.c.id.in_(ids)))).mappings().all()
    return {row["id"]: row for row in found}


async def _outcomes(tx: AsyncConnection, records: Sequence[Mapping[str, Any]]) -> None:
    if records:
        fill = update(events).where(events.c.id == bindparam("event_id"))
        await tx.execute(fill, [{"event_id": record["event"], **outcome_of(record)} for record in records])


def _stored(gateway: str, record: Mapping[str, Any], moment: Any) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "seq": record["seq"],
        "event_id": record["event"][:40],
        "kind": record["kind"][:16],
        "body": json.dumps(record, separators=(",", ":"), ensure_ascii=True),
        "received_at": moment,
    }


async def _note_use(tx: AsyncConnection, records: Sequence[Mapping[str, Any]]) -> None:
    used = {use.get("secret") for record in records if record.get("action") != "reject" for use in record.get("secrets") or ()}
    if used:
        await tx.execute(update(secrets).where(secrets.c.id.in_(used - {None})).values(last_used_at=now()))
