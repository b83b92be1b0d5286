"""Placeholders: what a sandbox holds in place of a value; one per binding, unchanged by rotation."""

import secrets as random
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.ids import new_id
from ..db.tables import bindings


async def ensure(tx: AsyncConnection, tenant_id: str, secret_id: str, sandbox_id: str, env: str, *, inherited: bool) -> dict[str, Any]:
    """The binding of this secret, sandbox and variable, with the placeholder it has or a fresh one."""
    query = select(bindings).where(bindings.c.secret_id == secret_id, bindings.c.resource_id == sandbox_id, bindings.c.expose_as_env == env)
    held = (await tx.execute(query)).mappings().one_or_none()
    if held is not None:
        if held["inherited"] and not inherited:
            await tx.execute(update(bindings).where(bindings.c.id == held["id"]).values(inherited=False))
        return {**held, "inherited": held["inherited"] and inherited}
    row: dict[str, Any] = {
        "id": new_id("bnd"),
        "tenant_id": tenant_id,
        "secret_id": secret_id,
        "resource_id": sandbox_id,
        "resource_type": "sandbox",
        "expose_as_env": env,
        "placeholder": new_placeholder(),
        "inherited": inherited,
        "created_at": now(),
    }
    await tx.execute(insert(bindings).values(**row))
    return row


def new_placeholder() -> str:
    """`miosa-tok-` and 128 random bits in lower-case hex."""
    return "miosa-tok-" + random.token_hex(16)
