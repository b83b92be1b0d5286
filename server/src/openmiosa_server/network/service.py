"""The network of sandboxes: rules, policies, lockdown and observe; each enforced when it returns."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import parse_since
from ..db.engine import Database
from ..db.lookup import find_sandbox, resolve_resource, visible_sandboxes
from ..db.ports import Publishes
from ..db.tables import policies, rules, sandboxes
from ..errors import Invalid, NotFound
from ..identity import Identity, Principal, RequestInfo
from . import change, observed, store
from .types import AddRule, NewPolicy, Observed, Policy, PolicyChange, Rule

Target = tuple[str | None, str | None]  # resource id and type; (None, None) is the tenant


class Network:
    """Each mutation: authorize, one transaction, publish to the sandboxes concerned, answer."""

    def __init__(self, database: Database, identity: Identity, publisher: Publishes) -> None:
        self._database = database
        self._identity = identity
        self._publisher = publisher

    async def create_default(self, tx: AsyncConnection, sandbox: Mapping[str, Any] | RowMapping) -> str:
        """The policy that every sandbox is born with: observe, and deny once it is enforced."""
        return await store.policy_for(tx, sandbox["tenant_id"], sandbox["id"], "sandbox")

    async def allow(self, principal: Principal, given: AddRule, *, request: RequestInfo | None = None) -> Rule:
        """Add an allow rule; an equal one that is there is the answer."""
        return await self._add(principal, given, "allow", request)

    async def deny(self, principal: Principal, given: AddRule, *, request: RequestInfo | None = None) -> Rule:
        """Add a deny rule, which beats every allow, in both modes."""
        return await self._add(principal, given, "deny", request)

    async def rules(
        self,
        principal: Principal,
        *,
        policy_id: str | None = None,
        resource_id: str | None = None,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> list[Rule]:
        """Rules, oldest first."""
        await self._allow(principal, "network:read", "network:rule:list", resource_id, request)
        async with self._database.read() as tx:
            conditions: list[ColumnElement[bool]] = [rules.c.policy_id.in_(select(policies.c.id).where(*change.visible(principal)))]
            if policy_id is not None:
                conditions.append(rules.c.policy_id == (await self._policy(tx, principal, policy_id)).id)
            if resource_id is not None:
                target = await self._target(tx, principal, resource_id, resource_type)
                conditions.append(rules.c.resource_id == target[0])
            return await store.load_rules(tx, conditions)

    async def remove(self, principal: Principal, rule: str, *, resource_id: str | None = None, request: RequestInfo | None = None) -> Rule:
        """Delete a rule by id, or by its host where that names one rule."""
        await self._allow(principal, "network:write", "network:rule:delete", rule, request)
        async with self._database.begin() as tx:
            found = await self._rule(tx, principal, rule, resource_id)
            change.may_change(principal, (found.resource_id, found.resource_type))
            await tx.execute(delete(rules).where(rules.c.id == found.id))
            concerned = await self._touch(tx, principal.tenant_id, (found.resource_id, found.resource_type))
        await self._publisher.publish_many(concerned)
        return found

    async def policies(
        self,
        principal: Principal,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> list[Policy]:
        """Policies with their rules, oldest first."""
        await self._allow(principal, "network:read", "network:policy:list", resource_id, request)
        async with self._database.read() as tx:
            conditions = change.visible(principal)
            if resource_id is not None:
                conditions.append(policies.c.resource_id == (await self._target(tx, principal, resource_id, resource_type))[0])
            return await store.load_policies(tx, conditions)

    async def get_policy(self, principal: Principal, policy_id: str, *, request: RequestInfo | None = None) -> Policy:
        """One policy by its id, or by the id or name of its sandbox."""
        await self._allow(principal, "network:read", "network:policy:get", policy_id, request)
        async with self._database.read() as tx:
            return await self._policy(tx, principal, policy_id)

    async def create_policy(self, principal: Principal, given: NewPolicy, *, request: RequestInfo | None = None) -> Policy:
        """One more policy for a sandbox, a workspace or the tenant."""
        about = {"mode": given.mode, "default_effect": given.default_effect, "name": given.name[:255]}
        await self._allow(principal, "network:write", "network:policy:create", given.resource_id, request, **about)
        change.check_policy(given.name, given.mode, given.default_effect)
        async with self._database.begin() as tx:
            target = await self._target(tx, principal, given.resource_id, given.resource_type, live=True)
            change.may_change(principal, target)
            policy_id = await store.insert_policy(
                tx,
                principal.tenant_id,
                name=given.name,
                mode=given.mode,
                default_effect=given.default_effect,
                resource_id=target[0],
                resource_type=target[1],
                description=given.description,
            )
            concerned = await self._touch(tx, principal.tenant_id, target)
            created = (await store.load_policies(tx, [policies.c.id == policy_id]))[0]
        await self._publisher.publish_many(concerned)
        return created

    async def update_policy(
        self,
        principal: Principal,
        policy_id: str | None,
        wanted: PolicyChange,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> Policy:
        """Change a policy by id; without one, the resource's, or the tenant's default. The raw call: it obeys."""
        about = {"mode": wanted.mode, "default_effect": wanted.default_effect}
        await self._allow(principal, "network:write", "network:policy:update", policy_id or resource_id, request, **about)
        change.check_policy(wanted.name or "-", wanted.mode or "enforce", wanted.default_effect or "deny")
        async with self._database.begin() as tx:
            if policy_id is not None:
                policy = await self._policy(tx, principal, policy_id)
                target = (policy.resource_id, policy.resource_type)
            else:
                target = await self._target(tx, principal, resource_id, resource_type, live=True)
                policy_id = await store.policy_for(tx, principal.tenant_id, *target)
                policy = await self._policy(tx, principal, policy_id)
            change.may_change(principal, target)
            await change.write(tx, policy, wanted)
            concerned = await self._touch(tx, principal.tenant_id, target)
            changed = (await store.load_policies(tx, [policies.c.id == policy.id]))[0]
        await self._publisher.publish_many(concerned)
        return changed

    async def lockdown(
        self,
        principal: Principal,
        hosts: list[str] | None = None,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> Policy:
        """Enforce, in one step: to exactly these hosts; without hosts, to the rules there are (409 when none); `[]` locks everything."""
        about = {"hosts": hosts if hosts is None else [host[:255] for host in hosts[:100]]}
        await self._allow(principal, "network:write", "network:policy:lockdown", resource_id, request, **about)
        async with self._database.begin() as tx:
            target = await self._target(tx, principal, resource_id, resource_type, live=True)
            change.may_change(principal, target)
            policy_id = await store.policy_for(tx, principal.tenant_id, *target)
            if hosts is None:
                await change.require_rules(tx, principal.tenant_id, target)
            else:
                await change.only_hosts(tx, principal.tenant_id, policy_id, target, hosts)
            policy = (await store.load_policies(tx, [policies.c.id == policy_id]))[0]
            await change.write(tx, policy, PolicyChange(mode="enforce", default_effect="deny"))
            concerned = await self._touch(tx, principal.tenant_id, target)
            locked = (await store.load_policies(tx, [policies.c.id == policy_id]))[0]
        await self._publisher.publish_many(concerned)
        return locked

    async def observe(
        self,
        principal: Principal,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> Policy:
        """Back to observing: all is recorded, explicit denies still refuse, secrets still go to their hosts only."""
        await self._allow(principal, "network:write", "network:policy:observe", resource_id, request)
        async with self._database.begin() as tx:
            target = await self._target(tx, principal, resource_id, resource_type, live=True)
            change.may_change(principal, target)
            policy_id = await store.policy_for(tx, principal.tenant_id, *target)
            place = policies.c.resource_id.is_(None) if target[0] is None else policies.c.resource_id == target[0]
            for policy in await store.load_policies(tx, [policies.c.tenant_id == principal.tenant_id, place]):
                await change.write(tx, policy, PolicyChange(mode="audit_only"))
            concerned = await self._touch(tx, principal.tenant_id, target)
            opened = (await store.load_policies(tx, [policies.c.id == policy_id]))[0]
        await self._publisher.publish_many(concerned)
        return opened

    async def suggestions(
        self,
        principal: Principal,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        since: str = "7d",
        request: RequestInfo | None = None,
    ) -> list[Observed]:
        """The hosts seen in the window (`7d`, `24h`, or a time), with counts."""
        await self._allow(principal, "network:read", "network:suggestion:list", resource_id, request)
        try:
            start = parse_since(since)
        except ValueError:
            raise Invalid(
                "since is an age such as 7d or 24h, or a time in ISO 8601", code="BAD_SINCE", details={"field": "since"}
            ) from None
        async with self._database.read() as tx:
            scope = await self._sandboxes_of(tx, principal, resource_id, resource_type)
            return await observed.suggestions(tx, principal.tenant_id, scope, start)

    async def pending(
        self,
        principal: Principal,
        *,
        resource_id: str | None = None,
        resource_type: str | None = None,
        request: RequestInfo | None = None,
    ) -> list[Observed]:
        """Hosts refused since the lockdown, and secrets that wait for a host."""
        await self._allow(principal, "network:read", "network:pending:list", resource_id, request)
        async with self._database.read() as tx:
            return await observed.pending(tx, principal.tenant_id, await self._sandboxes_of(tx, principal, resource_id, resource_type))

    async def _add(self, principal: Principal, given: AddRule, effect: str, request: RequestInfo | None) -> Rule:
        about = {"host": given.host[:255], "effect": effect, "methods": list(given.methods or ())[:32]}
        await self._allow(principal, "network:write", f"network:rule:{effect}", given.resource_id, request, **about)
        rule = change.canonical(given, effect)
        async with self._database.begin() as tx:
            if given.policy_id is not None:
                policy = await self._policy(tx, principal, given.policy_id)
                target: Target = (policy.resource_id, policy.resource_type)
                policy_id = policy.id
            else:
                target = await self._target(tx, principal, given.resource_id, given.resource_type, live=True)
                policy_id = await store.policy_for(tx, principal.tenant_id, *target)
            change.may_change(principal, target)
            added = await change.add_rule(tx, principal.tenant_id, policy_id, target, rule, note=given.note)
            concerned = await self._touch(tx, principal.tenant_id, target)
        await self._publisher.publish_many(concerned)
        return added

    async def _policy(self, tx: AsyncConnection, principal: Principal, policy_id: str) -> Policy:
        found = await store.load_policies(tx, [*change.visible(principal), policies.c.id == policy_id])
        if not found:
            sandbox = await find_sandbox(tx, principal.tenant_id, principal.external_user_id, policy_id)
            found = await store.load_policies(tx, [*change.visible(principal), policies.c.resource_id == sandbox["id"]])
        if not found:
            raise NotFound("no such policy; give the id of one, or the id or name of its sandbox")
        return found[0]

    async def _rule(self, tx: AsyncConnection, principal: Principal, rule: str, resource_id: str | None) -> Rule:
        seen: list[ColumnElement[bool]] = [rules.c.policy_id.in_(select(policies.c.id).where(*change.visible(principal)))]
        found = await store.load_rules(tx, [*seen, rules.c.id == rule])
        if not found:
            if resource_id is not None:
                seen.append(rules.c.resource_id == (await self._target(tx, principal, resource_id, None))[0])
            found = await store.load_rules(tx, [*seen, rules.c.host == change.host_of(rule)])
        if not found:
            raise NotFound("no such rule; list the rules for those there are, and say by resource_id which sandbox is meant")
        if len(found) > 1:
            ids = [each.id for each in found]
            raise Invalid("several rules name this host; use the id", code="AMBIGUOUS_NAME", details={"ids": ids})
        return found[0]

    async def _target(
        self, tx: AsyncConnection, principal: Principal, resource_id: str | None, resource_type: str | None, *, live: bool = False
    ) -> Target:
        if resource_type == "workspace" and resource_id is not None:
            return resource_id, "workspace"
        return await resolve_resource(tx, principal.tenant_id, principal.external_user_id, resource_id, resource_type, live=live)

    async def _sandboxes_of(
        self, tx: AsyncConnection, principal: Principal, resource_id: str | None, resource_type: str | None
    ) -> list[str] | None:
        target = await self._target(tx, principal, resource_id, resource_type)
        if target[0] is not None and target[1] == "sandbox":
            return [target[0]]
        if target[0] is None and principal.external_user_id is None:
            return None
        query = select(sandboxes.c.id).where(*visible_sandboxes(principal.tenant_id, principal.external_user_id))
        if target[0] is not None:
            query = query.where(sandboxes.c.workspace_id == target[0])
        return list((await tx.execute(query)).scalars())

    async def _touch(self, tx: AsyncConnection, tenant_id: str, target: Target) -> list[str]:
        concerned = await store.reached(tx, tenant_id, *target)
        await self._publisher.touch(tx, concerned)
        return concerned

    async def _allow(
        self,
        principal: Principal,
        scope: str,
        action: str,
        resource_id: str | None,
        request: RequestInfo | None,
        **metadata: Any,
    ) -> None:
        await self._identity.authorize(
            principal, scope, action, resource_type="policy", resource_id=resource_id, metadata=metadata, request=request
        )
