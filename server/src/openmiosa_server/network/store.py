"""Policies and rules in the database, and their form in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.ids import new_id
from ..db.lookup import LIVE_STATES
from ..db.tables import policies, rules, sandboxes
from ..policy import PolicyRule, PolicyValue
from .types import Policy, Rule

TENANT_POLICY = "default"


async def insert_policy(
    tx: AsyncConnection,
    tenant_id: str,
    *,
    name: str,
    mode: str,
    default_effect: str,
    resource_id: str | None,
    resource_type: str | None,
    description: str | None = None,
) -> str:
    """A new policy; returns its id."""
    moment = now()
    policy_id = new_id("pol")
    await tx.execute(
        insert(policies).values(
            id=policy_id,
            tenant_id=tenant_id,
            name=name,
            mode=mode,
            default_effect=default_effect,
            resource_id=resource_id,
            resource_type=resource_type,
            description=description,
            locked_at=moment if mode == "enforce" else None,
            created_at=moment,
            updated_at=moment,
        )
    )
    return policy_id


async def policy_for(tx: AsyncConnection, tenant_id: str, resource_id: str | None, resource_type: str | None) -> str:
    """The id of the resource's (or the tenant's) first policy, made on first need."""
    place = policies.c.resource_id.is_(None) if resource_id is None else policies.c.resource_id == resource_id
    query = select(policies.c.id).where(policies.c.tenant_id == tenant_id, place).order_by(policies.c.created_at, policies.c.id).limit(1)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is not None:
        return str(found)
    return await insert_policy(
        tx, tenant_id, name=TENANT_POLICY, mode="audit_only", default_effect="deny", resource_id=resource_id, resource_type=resource_type
    )


async def load_policies(tx: AsyncConnection, conditions: Sequence[ColumnElement[bool]]) -> list[Policy]:
    """Policies with their rules, oldest first."""
    query = select(policies).where(*conditions).order_by(policies.c.created_at, policies.c.id)
    found = (await tx.execute(query)).mappings().all()
    of: dict[str, list[Rule]] = {row["id"]: [] for row in found}
    for rule in await load_rules(tx, [rules.c.policy_id.in_(list(of))]):
        of[rule.policy_id].append(rule)
    return [Policy(**row, rules=tuple(of[row["id"]])) for row in found]


async def load_rules(tx: AsyncConnection, conditions: Sequence[ColumnElement[bool]]) -> list[Rule]:
    """Rules, oldest first."""
    query = select(rules).where(*conditions).order_by(rules.c.created_at, rules.c.id)
    return [rule_of(row) for row in (await tx.execute(query)).mappings()]


def rule_of(row: RowMapping | Mapping[str, Any]) -> Rule:
    """A rule from its row."""
    return Rule(**{**row, "methods": None if row["methods"] is None else tuple(row["methods"])})


async def for_sandbox(tx: AsyncConnection, sandbox: Mapping[str, Any] | RowMapping) -> tuple[list[PolicyValue], list[PolicyRule]]:
    """Every policy and rule that holds for a sandbox: its own, its workspace's, its tenant's."""
    places = [policies.c.resource_id == sandbox["id"], policies.c.resource_id.is_(None)]
    if sandbox["workspace_id"] is not None:
        places.append(and_(policies.c.resource_type == "workspace", policies.c.resource_id == sandbox["workspace_id"]))
    found = await load_policies(tx, [policies.c.tenant_id == sandbox["tenant_id"], or_(*places)])
    values = [PolicyValue(scope_of(policy.resource_type), policy.mode, policy.default_effect) for policy in found]
    ruled = [as_policy_rule(rule, policy.resource_type) for policy in found for rule in policy.rules]
    return values, ruled


def as_policy_rule(rule: Rule, resource_type: str | None) -> PolicyRule:
    """A stored rule, which is canonical already, as the pure core takes it."""
    return PolicyRule(rule.id, scope_of(resource_type), rule.effect, rule.host, rule.port, rule.methods, rule.path_glob)


def scope_of(resource_type: str | None) -> str:
    """The scope that a policy of this resource type stands at."""
    return "tenant" if resource_type is None else resource_type


async def reached(tx: AsyncConnection, tenant_id: str, resource_id: str | None, resource_type: str | None) -> list[str]:
    """The live sandboxes that a policy of this place concerns."""
    query = select(sandboxes.c.id).where(sandboxes.c.tenant_id == tenant_id, sandboxes.c.state.in_(LIVE_STATES))
    if resource_type == "workspace":
        query = query.where(sandboxes.c.workspace_id == resource_id)
    elif resource_id is not None:
        query = query.where(sandboxes.c.id == resource_id)
    return list((await tx.execute(query.order_by(sandboxes.c.id))).scalars())
