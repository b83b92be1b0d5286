"""The steps of a change to a policy, inside the caller's transaction."""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.ids import new_id
from ..db.lookup import visible_sandboxes
from ..db.tables import policies, rules, sandboxes
from ..errors import Conflict, Forbidden, Invalid
from ..identity import Principal
from ..policy import EFFECTS, MODES, HostError, PolicyRule, RuleError, make_rule, parse_pattern, split_port
from . import observed, store
from .types import AddRule, Policy, PolicyChange, Rule

_MAX_RULES = 1000  # of one policy, so that a snapshot stays small
_OBSERVED = timedelta(days=30)  # how far the conflict of an empty lockdown looks back


def canonical(given: AddRule, effect: str) -> PolicyRule:
    """The rule in canonical form; what means nothing is Invalid, with the reason."""
    try:
        return make_rule(
            rule_id=new_id("rul"),
            scope="sandbox",
            effect=effect,
            host=given.host,
            port=given.port,
            methods=given.methods,
            path_glob=given.path_glob,
        )
    except HostError as error:
        raise Invalid(str(error), code="BAD_HOST", details={"field": "host"}) from None
    except RuleError as error:
        raise Invalid(str(error), code="BAD_RULE") from None


def host_of(text: str) -> str:
    """A host as rules spell it; a text that is none stays as it is and names no rule."""
    try:
        return parse_pattern(split_port(text.strip())[0]).text
    except HostError:
        return text


def check_policy(name: str, mode: str, default_effect: str) -> None:
    """The words that a policy is made of."""
    if not 1 <= len(name) <= 255:
        raise Invalid("the name of a policy has 1 to 255 characters", code="BAD_NAME", details={"field": "name"})
    if mode not in MODES:
        raise Invalid("mode is audit_only or enforce", code="BAD_MODE", details={"field": "mode"})
    if default_effect not in EFFECTS:
        raise Invalid("default_effect is allow or deny", code="BAD_EFFECT", details={"field": "default_effect"})


def visible(principal: Principal) -> list[ColumnElement[bool]]:
    """The conditions under which a caller sees a policy."""
    conditions: list[ColumnElement[bool]] = [policies.c.tenant_id == principal.tenant_id]
    if principal.external_user_id is not None:
        own = select(sandboxes.c.id).where(*visible_sandboxes(principal.tenant_id, principal.external_user_id))
        conditions.append(policies.c.resource_id.in_(own))
    return conditions


def may_change(principal: Principal, target: tuple[str | None, str | None]) -> None:
    """A key of one external user changes that user's sandboxes, which were looked up already, and nothing wider."""
    if principal.external_user_id is not None and target[1] != "sandbox":
        raise Forbidden("this key belongs to one external user: name one of that user's sandboxes")


async def add_rule(
    tx: AsyncConnection, tenant_id: str, policy_id: str, target: tuple[str | None, str | None], rule: PolicyRule, *, note: str | None = None
) -> Rule:
    """Insert the rule, or return the equal one that is there."""
    # Writers of one policy take turns here on PostgreSQL, so that two equal rules are one.
    await tx.execute(select(policies.c.id).where(policies.c.id == policy_id).with_for_update())
    held = await store.load_rules(tx, [rules.c.policy_id == policy_id])
    for one in held:
        if _selector(one) == _selector(rule):
            return one
    if len(held) >= _MAX_RULES:
        raise Conflict(f"a policy has at most {_MAX_RULES} rules; use *.suffix, or remove some", code="TOO_MANY_RULES")
    row = {
        "id": rule.id,
        "tenant_id": tenant_id,
        "policy_id": policy_id,
        "host": rule.host,
        "port": rule.port,
        "effect": rule.effect,
        "methods": None if rule.methods is None else list(rule.methods),
        "path_glob": rule.path_glob,
        "note": None if note is None else note[:1024],
        "resource_id": target[0],
        "resource_type": target[1],
        "created_at": now(),
    }
    await tx.execute(insert(rules).values(**row))
    return store.rule_of(row)


async def write(tx: AsyncConnection, policy: Policy, wanted: PolicyChange) -> None:
    """Write what changes; `locked_at` marks when enforcing began."""
    row = {name: getattr(wanted, name) for name in ("mode", "default_effect", "name", "description") if getattr(wanted, name) is not None}
    moment = now()
    if wanted.mode == "enforce" and policy.mode != "enforce":
        row["locked_at"] = moment
    if wanted.mode == "audit_only":
        row["locked_at"] = None
    await tx.execute(update(policies).where(policies.c.id == policy.id).values(**row, updated_at=moment))


async def require_rules(tx: AsyncConnection, tenant_id: str, target: tuple[str | None, str | None]) -> None:
    """A lockdown without hosts needs rules to keep; where there are none it would cut everything by surprise."""
    places: list[ColumnElement[bool]] = [policies.c.resource_id.is_(None)]
    if target[0] is not None:
        places.append(policies.c.resource_id == target[0])
    of = select(policies.c.id).where(policies.c.tenant_id == tenant_id, places[0] if len(places) == 1 else places[0] | places[1])
    query = select(func.count()).select_from(rules).where(rules.c.policy_id.in_(of), rules.c.effect == "allow")
    if (await tx.execute(query)).scalar_one():
        return
    ids = None if target[0] is None else await store.reached(tx, tenant_id, *target)
    seen = await observed.suggestions(tx, tenant_id, ids, now() - _OBSERVED)
    raise Conflict(
        "there are no allow rules to lock down to; name the hosts (details.observed lists what was seen), "
        "or give an empty list to lock everything",
        code="NO_RULES",
        details={"observed": [found.view() for found in seen]},
    )


async def only_hosts(tx: AsyncConnection, tenant_id: str, policy_id: str, target: tuple[str | None, str | None], hosts: list[str]) -> None:
    """Allow exactly these hosts at this place; a narrower rule for one of them that is there stays as it is."""
    wanted = {(rule.host, rule.port): rule for rule in (canonical(AddRule(host), "allow") for host in hosts)}
    place = policies.c.resource_id.is_(None) if target[0] is None else policies.c.resource_id == target[0]
    of = select(policies.c.id).where(policies.c.tenant_id == tenant_id, place)
    held = await store.load_rules(tx, [rules.c.policy_id.in_(of), rules.c.effect == "allow"])
    leaving = [rule.id for rule in held if (rule.host, rule.port) not in wanted]
    await tx.execute(delete(rules).where(rules.c.id.in_(leaving)))
    there = {(rule.host, rule.port) for rule in held}
    for selector, rule in wanted.items():
        if selector not in there:
            await add_rule(tx, tenant_id, policy_id, target, rule, note="lockdown")


def _selector(rule: Rule | PolicyRule) -> tuple[object, ...]:
    return (rule.host, rule.port, rule.effect, rule.methods, rule.path_glob)
