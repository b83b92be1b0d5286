"""Rows of flows and connections: statements and nothing else."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.tables import bindings, connections, oauth_flows, sandboxes, secrets
from ..identity import Principal
from ..vault.rows import visible


def digest(state: str) -> str:
    """What is stored in place of a state."""
    return hashlib.sha256(state.encode()).hexdigest()


async def add_flow(tx: AsyncConnection, row: dict[str, Any]) -> None:
    """Insert a flow; earlier ones of the same secret end, since its verifier is about to be replaced."""
    earlier = (oauth_flows.c.secret_id == row["secret_id"], oauth_flows.c.status == "pending")
    ended = {"status": "expired", "error": "superseded", "message": "a newer connection attempt replaced this one"}
    await tx.execute(update(oauth_flows).where(*earlier).values(**ended))
    await tx.execute(insert(oauth_flows).values(**row))


async def flow(tx: AsyncConnection, state: str, asker: Principal | None = None) -> RowMapping | None:
    """A flow by its state; where somebody asks, one of their tenant, and of a secret that they may see."""
    query = select(oauth_flows).where(oauth_flows.c.state_hash == digest(state))
    if asker is not None:
        query = query.where(oauth_flows.c.tenant_id == asker.tenant_id)
        if asker.external_user_id is not None:
            query = query.where(oauth_flows.c.secret_id.in_(select(secrets.c.id).where(*visible(asker))))
    return (await tx.execute(query)).mappings().one_or_none()


async def take(tx: AsyncConnection, state: str) -> bool:
    """Use a state up; only the first call of any gets True."""
    unused = (
        oauth_flows.c.state_hash == digest(state),
        oauth_flows.c.used_at.is_(None),
        oauth_flows.c.status == "pending",
        oauth_flows.c.expires_at > now(),
    )
    return (await tx.execute(update(oauth_flows).where(*unused).values(used_at=now()))).rowcount == 1


async def end_flow(tx: AsyncConnection, state_hash: str, status: str, *, error: str | None = None, message: str | None = None) -> bool:
    """Note how a flow ended; only while it is pending."""
    pending = (oauth_flows.c.state_hash == state_hash, oauth_flows.c.status == "pending")
    values = {"status": status, "error": error, "message": message}
    return (await tx.execute(update(oauth_flows).where(*pending).values(**values))).rowcount == 1


async def overdue_flows(tx: AsyncConnection) -> list[RowMapping]:
    """Pending flows whose time is over."""
    query = select(oauth_flows).where(oauth_flows.c.status == "pending", oauth_flows.c.expires_at <= now())
    return list((await tx.execute(query.limit(100))).mappings())


async def device_flows(tx: AsyncConnection) -> list[RowMapping]:
    """Device flows that wait for their user."""
    query = select(oauth_flows).where(oauth_flows.c.kind == "device", oauth_flows.c.status == "pending", oauth_flows.c.expires_at > now())
    return list((await tx.execute(query)).mappings())


async def forget_old_flows(tx: AsyncConnection, before: datetime) -> None:
    """Delete flows that ended long ago."""
    await tx.execute(delete(oauth_flows).where(oauth_flows.c.status != "pending", oauth_flows.c.created_at < before))


async def connection(tx: AsyncConnection, secret_id: str) -> RowMapping | None:
    """The connection behind a secret."""
    return (await tx.execute(select(connections).where(connections.c.secret_id == secret_id))).mappings().one_or_none()


async def put_connection(tx: AsyncConnection, secret_id: str, values: Mapping[str, Any]) -> None:
    """Insert or replace."""
    changed = await tx.execute(update(connections).where(connections.c.secret_id == secret_id).values(**values, updated_at=now()))
    if changed.rowcount == 0:
        await tx.execute(insert(connections).values(secret_id=secret_id, **values, created_at=now(), updated_at=now()))


async def change_connection(tx: AsyncConnection, secret_id: str, **values: Any) -> None:
    """Update what is there."""
    await tx.execute(update(connections).where(connections.c.secret_id == secret_id).values(**values, updated_at=now()))


async def claim(tx: AsyncConnection, secret_id: str, until: datetime) -> bool:
    """The row lock of single-flight across processes; it ends by itself when its holder dies."""
    free = or_(connections.c.refreshing_until.is_(None), connections.c.refreshing_until <= now())
    done = await tx.execute(update(connections).where(connections.c.secret_id == secret_id, free).values(refreshing_until=until))
    return done.rowcount == 1


async def due(tx: AsyncConnection) -> list[str]:
    """Secrets of connections to refresh now: ready ones that a running sandbox uses or may use."""
    bound = (
        select(bindings.c.secret_id)
        .join(sandboxes, sandboxes.c.id == bindings.c.resource_id)
        .where(sandboxes.c.state.in_(("provisioning", "running")))
    )
    free = or_(connections.c.refreshing_until.is_(None), connections.c.refreshing_until <= now())
    query = (
        select(connections.c.secret_id)
        .join(secrets, secrets.c.id == connections.c.secret_id)
        .where(
            connections.c.state == "ready",
            connections.c.refresh_after.is_not(None),
            connections.c.refresh_after <= now(),
            free,
            secrets.c.deleted_at.is_(None),
            connections.c.secret_id.in_(bound),
        )
    )
    return list((await tx.execute(query)).scalars())


async def secret_row(tx: AsyncConnection, secret_id: str) -> RowMapping | None:
    """The secret's description, whoever's, when it still is there."""
    query = select(secrets).where(secrets.c.id == secret_id, secrets.c.deleted_at.is_(None))
    return (await tx.execute(query)).mappings().one_or_none()


async def sandbox_name(tx: AsyncConnection, secret_id: str) -> str | None:
    """The name of the sandbox that a secret belongs to, for the page that a person reads."""
    query = select(sandboxes.c.name).join(secrets, secrets.c.resource_id == sandboxes.c.id).where(secrets.c.id == secret_id)
    return (await tx.execute(query)).scalar_one_or_none()
