"""What a sandbox's snapshot is made of, read in one transaction: the leases it needs and the snapshot itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..bindings import EffectiveBinding, effective
from ..db.clock import now
from ..db.lookup import LIVE_STATES
from ..db.tables import sandboxes, secret_versions
from ..network import store
from ..policy import BindingValue, SandboxValue, compile
from . import authority


@dataclass(frozen=True, slots=True)
class Need:
    """A value that a sandbox needs lent."""

    lease: str
    owner: str
    tenant: str
    stored_purpose: str
    purpose: str
    version: int
    expires_at: datetime | None = None

    def lifetime_ms(self) -> int | None:
        """How long from now it may be used; the reader counts on its own monotonic clock."""
        if self.expires_at is None:
            return None
        return max(1, int((self.expires_at - now()).total_seconds() * 1000))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A snapshot with the leases that belong to it, of one moment."""

    sandbox: str
    snapshot: dict[str, Any]
    needs: tuple[Need, ...]

    @property
    def hosts(self) -> dict[str, tuple[str, ...]]:
        """Where each secret may go, by its id."""
        return {binding["secret"]: tuple(binding["hosts"]) for binding in self.snapshot["bindings"]}


async def prepare(tx: AsyncConnection, sandbox_id: str) -> Prepared | None:
    """The sandbox as it stands; None when it does not live or has no authority yet."""
    row = (await tx.execute(select(sandboxes).where(sandboxes.c.id == sandbox_id))).mappings().one_or_none()
    if row is None or row["state"] not in LIVE_STATES or row["authority_pem"] is None:
        return None
    policies, rules = await store.for_sandbox(tx, row)
    bound = await effective(tx, row, mint=False)
    lease = authority.lease_of(sandbox_id)
    value = SandboxValue(row["id"], row["tenant_id"], row["name"] or row["id"], row["revision"], row["authority_pem"], lease)
    snapshot = compile(value, policies, rules, [_binding(binding) for binding in bound])
    needs = [Need(lease, sandbox_id, row["tenant_id"], "authority_key", "authority_key", await _authority_version(tx, sandbox_id))]
    needs += [_need(binding, row["tenant_id"]) for binding in _distinct(bound)]
    return Prepared(sandbox_id, snapshot, tuple(needs))


async def live(tx: AsyncConnection) -> list[str]:
    """The sandboxes that have, or are about to have, a snapshot."""
    query = select(sandboxes.c.id).where(sandboxes.c.state.in_(LIVE_STATES), sandboxes.c.authority_pem.is_not(None))
    return list((await tx.execute(query.order_by(sandboxes.c.id))).scalars())


def _distinct(bound: list[EffectiveBinding]) -> list[EffectiveBinding]:
    # One secret may stand under two variables; it is lent once. What is not active has nothing to lend.
    return list({binding.secret_id: binding for binding in bound if binding.state == "active"}.values())


def _need(binding: EffectiveBinding, tenant: str) -> Need:
    return Need(binding.secret_id, binding.secret_id, tenant, "value", "secret", binding.version, binding.expires_at)


def _binding(binding: EffectiveBinding) -> BindingValue:
    return BindingValue(
        id=binding.binding_id,
        secret=binding.secret_id,
        name=binding.name,
        placeholder=binding.placeholder,
        hosts=binding.hosts,
        env=binding.env,
        state=binding.state,
        connected=binding.connected,
    )


async def _authority_version(tx: AsyncConnection, sandbox_id: str) -> int:
    column = secret_versions.c
    query = (
        select(column.version)
        .where(column.owner_id == sandbox_id, column.purpose == "authority_key")
        .order_by(column.version.desc())
        .limit(1)
    )
    return (await tx.execute(query)).scalar_one_or_none() or 0
