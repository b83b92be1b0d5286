"""What sandboxes may call: rules, the two modes, and what was seen."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .. import _envelope, _wire
from ..errors import NotFoundError
from ..models import PendingHost, Policy, Rule, Suggestion
from .transport import AsyncTransport


class AsyncNetwork:
    """The network of one sandbox, or without one the tenant's default."""

    def __init__(self, transport: AsyncTransport, sandbox_id: str | None = None) -> None:
        self._transport = transport
        self._resource = _wire.given(resource_id=sandbox_id, resource_type="sandbox" if sandbox_id else None)

    async def allow(
        self,
        host: str,
        *,
        port: int | None = None,
        methods: Iterable[str] | None = None,
        path_glob: str | None = None,
        note: str | None = None,
        policy_id: str | None = None,
    ) -> Rule:
        """Let a host be called: exact, `*.suffix`, or a CIDR for literal addresses; with `methods` and `path_glob` only in part."""
        return await self._rule(host, "allow", port=port, methods=methods, path_glob=path_glob, note=note, policy_id=policy_id)

    async def deny(
        self,
        host: str,
        *,
        port: int | None = None,
        methods: Iterable[str] | None = None,
        path_glob: str | None = None,
        note: str | None = None,
        policy_id: str | None = None,
    ) -> Rule:
        """Never let a host be called, in either mode; beats every allow."""
        return await self._rule(host, "deny", port=port, methods=methods, path_glob=path_glob, note=note, policy_id=policy_id)

    async def remove(self, rule_or_host: str) -> None:
        """Take back a rule, by its id or its host."""
        await self._transport.request("DELETE", _wire.path("egress", "allowlist", rule_or_host), params=self._resource)

    async def rules(self, *, policy_id: str | None = None) -> list[Rule]:
        """The rules there are, oldest first."""
        reply = await self._transport.request("GET", "egress/allowlist", params={**self._resource, "policy_id": policy_id})
        return [Rule.from_json(item) for item in _envelope.many(reply)]

    async def lockdown(self, hosts: Iterable[str] | None = None) -> Policy:
        """From now on only the rules pass. `hosts` become allow rules in the same step; an empty list closes everything.

        Without hosts the rules there are stay; where there are none, NoRulesError lists the hosts observed.
        """
        body = self._resource | _wire.given(hosts=_wire.several("hosts", hosts))
        return Policy.from_json(_envelope.one(await self._transport.request("POST", "egress/lockdown", json=body), "policy"))

    async def observe(self) -> Policy:
        """Back to recording without blocking; secrets still go only where they are bound."""
        reply = await self._transport.request("POST", "egress/observe", json=self._resource)
        return Policy.from_json(_envelope.one(reply, "policy"))

    async def get_policy(self) -> Policy:
        """The policy with its rules: `mode`, `allow_rules`, `deny_rules`."""
        found = await self.policies()
        if not found:
            raise NotFoundError("there is no policy yet", code="NOT_FOUND", status=404)
        own = next((policy for policy in found if policy.resource_id == self._resource.get("resource_id")), found[0])
        reply = await self._transport.request("GET", _wire.path("egress", "policies", own.id))
        return Policy.from_json(_envelope.one(reply, "policy"))

    async def policies(self) -> list[Policy]:
        """The policies there are, with their rules."""
        reply = await self._transport.request("GET", "egress/policies", params=self._resource)
        return [Policy.from_json(item) for item in _envelope.many(reply)]

    async def create_policy(
        self, *, name: str, mode: str = "enforce", default_effect: str = "deny", description: str | None = None
    ) -> Policy:
        """One more policy, of this sandbox or of the tenant."""
        body = self._resource | _wire.given(name=name, mode=mode, default_effect=default_effect, description=description)
        return Policy.from_json(_envelope.one(await self._transport.request("POST", "egress/policies", json=body), "policy"))

    async def update_policy(
        self,
        policy_id: str,
        *,
        mode: str | None = None,
        default_effect: str | None = None,
        name: str | None = None,
        description: str | None = None,
    ) -> Policy:
        """Change a policy; what is not given stays."""
        body = _wire.given(mode=mode, default_effect=default_effect, name=name, description=description)
        reply = await self._transport.request("PATCH", _wire.path("egress", "policies", policy_id), json=body)
        return Policy.from_json(_envelope.one(reply, "policy"))

    async def suggestions(self, *, since: datetime | str = "7d") -> list[Suggestion]:
        """Hosts that were called in a window (`7d`, `24h`, or a time), with counts: what a lockdown would have to allow."""
        reply = await self._transport.request("GET", "egress/audit/suggestions", params={**self._resource, "since": since})
        return [Suggestion.from_json(item) for item in _envelope.many(reply)]

    async def pending(self) -> list[PendingHost]:
        """Hosts refused since the lockdown, and secrets that wait for a host."""
        reply = await self._transport.request("GET", "egress/pending", params=self._resource)
        return [PendingHost.from_json(item) for item in _envelope.many(reply)]

    async def _rule(self, host: str, effect: str, *, methods: Iterable[str] | None, **options: Any) -> Rule:
        body = self._resource | _wire.given(host=host, effect=effect, methods=_wire.several("methods", methods), **options)
        return Rule.from_json(_envelope.one(await self._transport.request("POST", "egress/allowlist", json=body), "rule"))
