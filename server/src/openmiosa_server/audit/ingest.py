"""Taking in what egressd ships: every record exactly once, one row an event, acknowledged after commit."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
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
    for record in fresh:
        if record["kind"] == "decision" and (event := await _decision(tx, record)) is not None:
            made.append(event)
        elif record["kind"] == "outcome":
            await tx.execute(update(events).where(events.c.id == record["event"]).values(**outcome_of(record)))
    if fresh:
        moment = now()
        await tx.execute(insert(event_records), [_stored(gateway, record, moment) for record in fresh])
    await _note_use(tx, made)
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


async def _decision(tx: AsyncConnection, record: Mapping[str, Any]) -> Event | None:
    if (await tx.execute(select(events.c.number).where(events.c.id == record["event"]))).first() is not None:
        return None  # the event is there already, shipped under another number; its record is kept all the same
    query = select(sandboxes.c.id, sandboxes.c.tenant_id, sandboxes.c.external_user_id, sandboxes.c.external_workspace_id)
    sandbox = (await tx.execute(query.where(sandboxes.c.id == record["sandbox"]))).mappings().one_or_none()
    if sandbox is None:
        log.error("event_of_unknown_sandbox", sandbox=record["sandbox"][:40], event_id=record["event"][:40])
        return None
    row = row_of(record, sandbox)
    number = (await tx.execute(insert(events).values(**row).returning(events.c.number))).scalar_one()
    return event_of({**row, "number": number, "bytes_in": None, "bytes_out": None, "duration_us": None, "ended_as": None})


def _stored(gateway: str, record: Mapping[str, Any], moment: Any) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "seq": record["seq"],
        "event_id": record["event"][:40],
        "kind": record["kind"][:16],
        "body": json.dumps(record, separators=(",", ":"), ensure_ascii=True),
        "received_at": moment,
    }


async def _note_use(tx: AsyncConnection, made: list[Event]) -> None:
    used = {(event["tenant_id"], name) for event in made for name in event["request_transforms"]["secrets"]["swapped"]}
    for tenant_id, name in used:
        owned = (secrets.c.tenant_id == tenant_id, secrets.c.name == name, secrets.c.deleted_at.is_(None))
        await tx.execute(update(secrets).where(*owned).values(last_used_at=now()))
