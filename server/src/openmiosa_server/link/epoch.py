"""Epochs and revisions in the database: numbers that only go up, so that nothing old is ever taken for new."""

from sqlalchemy import insert, select, update

from ..db.engine import Database
from ..db.tables import sandboxes, server_state

_KEY = "epoch"


async def raise_epoch(database: Database) -> int:
    """The next epoch, stored before it is said."""
    async with database.begin() as tx:
        query = select(server_state.c.value).where(server_state.c.key == _KEY).with_for_update()
        held = (await tx.execute(query)).scalar_one_or_none()
        if held is None:
            await tx.execute(insert(server_state).values(key=_KEY, value="1"))
            return 1
        raised = int(held) + 1
        await tx.execute(update(server_state).where(server_state.c.key == _KEY).values(value=str(raised)))
        return raised


async def current(database: Database) -> int:
    """The epoch that was said last."""
    async with database.read() as tx:
        held = (await tx.execute(select(server_state.c.value).where(server_state.c.key == _KEY))).scalar_one_or_none()
    return int(held or 0)


async def raise_revision(database: Database, sandbox_id: str, held: int) -> None:
    """Lift a sandbox's revision above what egressd holds: it is behind only when the database was restored from a backup."""
    async with database.begin() as tx:
        row = sandboxes.c
        await tx.execute(update(sandboxes).where(row.id == sandbox_id, row.revision <= held).values(revision=held + 1))
