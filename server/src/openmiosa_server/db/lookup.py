"""Finding a tenant's sandbox by id or name; what belongs to somebody else is not there."""

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import Conflict, Invalid, NotFound
from .tables import sandboxes

# States in which a sandbox has, or is about to have, a snapshot in the data plane.
LIVE_STATES = ("provisioning", "running", "paused")


def visible_sandboxes(tenant_id: str, external_user_id: str | None) -> list[ColumnElement[bool]]:
    """The conditions under which a caller sees a sandbox."""
    conditions: list[ColumnElement[bool]] = [sandboxes.c.tenant_id == tenant_id]
    if external_user_id is not None:
        conditions.append(sandboxes.c.external_user_id == external_user_id)
    return conditions


async def find_sandbox(
    tx: AsyncConnection, tenant_id: str, external_user_id: str | None, id_or_name: str, *, live: bool = False
) -> RowMapping:
    """The sandbox with this id, else the living one with this name; `live` refuses a destroyed one with 409."""
    seen = visible_sandboxes(tenant_id, external_user_id)
    row = (await tx.execute(select(sandboxes).where(*seen, sandboxes.c.id == id_or_name))).mappings().one_or_none()
    if row is None:
        named = select(sandboxes).where(*seen, sandboxes.c.name == id_or_name, sandboxes.c.state.in_((*LIVE_STATES, "error")))
        rows = (await tx.execute(named.order_by(sandboxes.c.created_at.desc()))).mappings().all()
        if len(rows) > 1:
            raise Invalid("several sandboxes have this name; use the id", code="AMBIGUOUS_NAME", details={"ids": [r["id"] for r in rows]})
        row = rows[0] if rows else None
    if row is None:
        raise NotFound("no such sandbox; `openmiosa sandbox list` shows those there are")
    if live and row["state"] == "destroyed":
        raise Conflict("the sandbox is destroyed; create another one", code="RESOURCE_STATE", details={"state": row["state"]})
    return row


async def resolve_resource(
    tx: AsyncConnection,
    tenant_id: str,
    external_user_id: str | None,
    resource_id: str | None,
    resource_type: str | None,
    *,
    live: bool = False,
) -> tuple[str | None, str | None]:
    """The id and type of the resource a call is about; (None, None) when it is about the tenant."""
    if resource_id is None:
        return None, None
    if resource_type not in (None, "sandbox"):
        raise Invalid(f"resource_type {resource_type!r} is not known here; use `sandbox`", code="UNKNOWN_RESOURCE_TYPE")
    row: Any = await find_sandbox(tx, tenant_id, external_user_id, resource_id, live=live)
    return row["id"], "sandbox"
