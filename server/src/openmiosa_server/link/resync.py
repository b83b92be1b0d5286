"""Putting everything again, in an order in which no value ever meets a snapshot that it was not meant for."""

from typing import TYPE_CHECKING, Any

import structlog

from . import epoch
from .client import Refused
from .held import Held
from .leases import Prepared, prepare

if TYPE_CHECKING:
    from .publish import Publisher

log = structlog.get_logger(__name__)


async def put_everything(publisher: "Publisher", held: Held, status: dict[str, Any], prepared: list[Prepared]) -> None:
    """Leftovers go first, then stale values, then old snapshots are replaced, then values are lent, then new snapshots come."""
    there = {entry["sandbox"]: int(entry["revision"]) for entry in status["sandboxes"]}
    needs = {need.lease: need for one in prepared for need in one.needs}
    for sandbox_id in there.keys() - {one.sandbox for one in prepared}:
        await publisher.egress.delete_snapshot(sandbox_id)
    for lease in [lease for lease in held.leases if lease not in needs or held.stale(needs[lease])]:
        await publisher.egress.delete_lease(lease)
        held.leases.pop(lease)
    for one in [one for one in prepared if one.sandbox in there]:
        await _put_snapshot(publisher, held, one, there[one.sandbox])
    for need in needs.values():
        if not held.has(need):
            await publisher.lend(held, need)
    for one in [one for one in prepared if one.sandbox not in there]:
        await _put_snapshot(publisher, held, one, 0)
    log.info(
        "resynced", gateway=held.gateway, boot=held.boot, epoch=publisher.egress.epoch, sandboxes=len(prepared), leases=len(held.leases)
    )


async def _put_snapshot(publisher: "Publisher", held: Held, one: Prepared, there: int) -> None:
    try:
        await publisher.egress.put_snapshot(one.snapshot)
    except Refused as error:
        if error.code != "stale_revision":
            raise
        await epoch.raise_revision(publisher.database, one.sandbox, there)
        async with publisher.database.read() as tx:
            raised = await prepare(tx, one.sandbox)
        if raised is None:
            return
        await publisher.egress.put_snapshot(raised.snapshot)
        one = raised
    held.snapshots[one.sandbox] = one
