"""Rows of sandboxes: statements and nothing else."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.tables import sandboxes as table
from ..errors import Conflict, NotFound
from ..identity import Principal
from .states import LIVING
from .types import Sandbox, SandboxFilter

_TUPLES = ("tags",)


async def add(tx: AsyncConnection, row: dict[str, Any]) -> RowMapping:
    """Insert a row and return it as the database has it."""
    await tx.execute(insert(table).values(**row))
    return (await tx.execute(select(table).where(table.c.id == row["id"]))).mappings().one()


async def find(tx: AsyncConnection, principal: Principal, key: str, *, living: bool = True) -> Sandbox:
    """A sandbox of the principal by id or name; NotFound also for what belongs to somebody else."""
    by_id = table.c.id == key
    by_name = and_(or_(table.c.name == key, table.c.slug == key), table.c.state.in_(LIVING))
    query = select(table).where(*visible(principal), or_(by_id, by_name)).order_by(by_id.desc(), (table.c.name == key).desc())
    row = (await tx.execute(query.limit(1))).mappings().one_or_none()
    if row is not None and living and row["state"] == "destroyed":
        raise NotFound(f"the sandbox {row['name']} was destroyed; create another one", code="SANDBOX_DESTROYED")
    if row is None:
        raise NotFound(f"no sandbox {key[:80]!r}; `openmiosa sandbox list` shows those there are")
    return record(row)


async def by_name(tx: AsyncConnection, principal: Principal, name: str) -> Sandbox:
    """A living sandbox by its name alone."""
    query = select(table).where(*visible(principal), table.c.name == name, table.c.state.in_(LIVING))
    row = (await tx.execute(query)).mappings().first()
    if row is None:
        raise NotFound(f"no sandbox is called {name[:80]!r}; create it, or see `openmiosa sandbox list` for those there are")
    return record(row)


async def require_free(tx: AsyncConnection, tenant_id: str, name: str, *, but: str | None = None) -> None:
    """Names are unique among the tenant's living sandboxes; ids and names share one space of keys."""
    taken = [table.c.tenant_id == tenant_id, table.c.state.in_(LIVING), or_(table.c.name == name, table.c.slug == name)]
    if but is not None:
        taken.append(table.c.id != but)
    if (await tx.execute(select(table.c.id).where(*taken))).first() is not None:
        raise Conflict(f"the name {name!r} is taken by a living sandbox; choose another or destroy that one", code="NAME_TAKEN")


async def page(tx: AsyncConnection, principal: Principal, wanted: SandboxFilter) -> tuple[list[Sandbox], str | None]:
    """The tenant's sandboxes, newest first, and the cursor of those that follow; None with the last."""
    conditions = visible(principal)
    conditions.append(table.c.state.in_(LIVING) if wanted.state is None else table.c.state == wanted.state)
    for name in ("external_workspace_id", "external_user_id", "external_project_id"):
        if getattr(wanted, name) is not None:
            conditions.append(table.c[name] == getattr(wanted, name))
    newest = select(table).where(*conditions).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(wanted.limit + 1)
    query = newest if wanted.cursor is None else newest.where(_older(await _place(tx, principal, wanted.cursor)))
    found: list[Sandbox] = []
    while True:
        rows = (await tx.execute(query)).mappings().all()
        found += [sandbox for sandbox in map(record, rows) if set(wanted.tags) <= set(sandbox.tags)]
        if len(found) > wanted.limit:
            return found[: wanted.limit], found[wanted.limit - 1].id
        if len(rows) <= wanted.limit:
            return found, None
        query = newest.where(_older(rows[-1]))


async def _place(tx: AsyncConnection, principal: Principal, cursor: str) -> RowMapping:
    row = (await tx.execute(select(table).where(*visible(principal), table.c.id == cursor))).mappings().one_or_none()
    if row is None:
        raise NotFound(
            "no sandbox has the id that was given as cursor; give the next_cursor of the page before, or none for the first page"
        )
    return row


def _older(row: RowMapping) -> ColumnElement[bool]:
    return or_(table.c.created_at < row["created_at"], and_(table.c.created_at == row["created_at"], table.c.id < row["id"]))


async def in_states(tx: AsyncConnection, states: tuple[str, ...]) -> list[Sandbox]:
    """Everybody's sandboxes in these states; for the server's own housekeeping."""
    return [record(row) for row in (await tx.execute(select(table).where(table.c.state.in_(states)))).mappings()]


async def by_id(tx: AsyncConnection, sandbox_id: str) -> Sandbox | None:
    """One sandbox by id, whoever's; for the server's own housekeeping."""
    row = (await tx.execute(select(table).where(table.c.id == sandbox_id))).mappings().one_or_none()
    return None if row is None else record(row)


async def count_living(tx: AsyncConnection, tenant_id: str) -> int:
    """How many the tenant has."""
    query = select(func.count()).select_from(table).where(table.c.tenant_id == tenant_id, table.c.state.in_(LIVING))
    return int((await tx.execute(query)).scalar_one())


async def change(tx: AsyncConnection, sandbox_id: str, *, only_from: str | None = None, **values: Any) -> bool:
    """Update a row; with `only_from` only while it is in that state. Returns whether it was."""
    conditions = [table.c.id == sandbox_id] + ([table.c.state == only_from] if only_from else [])
    done = await tx.execute(update(table).where(*conditions).values(updated_at=now(), **values))
    return done.rowcount == 1


def visible(principal: Principal) -> list[ColumnElement[bool]]:
    """The conditions that keep a caller within its tenant, and a user-bound key with its user."""
    conditions: list[ColumnElement[bool]] = [table.c.tenant_id == principal.tenant_id]
    if principal.external_user_id is not None:
        conditions.append(table.c.external_user_id == principal.external_user_id)
    return conditions


def record(row: RowMapping) -> Sandbox:
    """A row as a record."""
    values: dict[str, Any] = {name: tuple(row[name]) if name in _TUPLES else row[name] for name in Sandbox.__slots__}
    return Sandbox(**values)
