"""/egress/allowlist, /policies, /lockdown, /observe, /pending, /audit/suggestions."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from ..network import AddRule, NewPolicy, PolicyChange
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import One
from .schemas.egress import Pending, Policies, Policy, Rule, Rules, Suggestions

router = APIRouter(prefix="/egress", route_class=Route)


class RuleAdd(Body):
    """A rule to add."""

    model_config = example({"host": "api.openai.com", "effect": "allow", "resource_id": "agent", "resource_type": "sandbox"})

    host: str
    effect: Literal["allow", "deny"] = "allow"
    port: int | None = Field(default=None, ge=1, le=65535)
    methods: list[str] | None = None
    path_glob: str | None = None
    policy_id: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    note: str | None = Field(default=None, max_length=4000)


class PolicyCreate(Body):
    """A policy to make."""

    model_config = example({"name": "drafts", "mode": "enforce", "resource_id": "agent", "resource_type": "sandbox"})

    name: str
    mode: str = "enforce"
    default_effect: str = "deny"
    resource_id: str | None = None
    resource_type: str | None = None
    description: str | None = Field(default=None, max_length=4000)


class PolicyUpdate(Body):
    """What changes in a policy."""

    model_config = example({"mode": "enforce"})

    mode: str | None = None
    default_effect: str | None = None
    name: str | None = None
    description: str | None = Field(default=None, max_length=4000)
    resource_id: str | None = None
    resource_type: str | None = None

    def wanted(self) -> PolicyChange:
        """As the service takes it."""
        return PolicyChange(mode=self.mode, default_effect=self.default_effect, name=self.name, description=self.description)


class NetworkTarget(Body):
    """Which sandbox; none is the tenant."""

    model_config = example({"resource_id": "agent", "resource_type": "sandbox"})

    resource_id: str | None = None
    resource_type: str | None = None


class NetworkLockdown(NetworkTarget):
    """To which hosts; none given keeps the rules there are."""

    model_config = example({"hosts": ["api.openai.com", "api.github.com"], "resource_id": "agent", "resource_type": "sandbox"})

    hosts: list[str] | None = None


@router.post(
    "/allowlist",
    **operation(
        "rules.add",
        One[Rule],
        scope="network:write",
        sdk=("sandbox.network.allow", "sandbox.network.deny", "client.network.allow", "client.network.deny"),
        status=201,
    ),
)
async def add(asked: Asked, given: Annotated[RuleAdd, body(RuleAdd)]) -> Response:
    """Add a rule; an equal one that is there is the answer."""
    wanted = AddRule(
        host=given.host,
        effect=given.effect,
        port=given.port,
        methods=None if given.methods is None else tuple(given.methods),
        path_glob=given.path_glob,
        policy_id=given.policy_id,
        resource_id=given.resource_id,
        resource_type=given.resource_type,
        note=given.note,
    )
    network = asked.services.network
    rule = await (network.allow if given.effect == "allow" else network.deny)(asked.principal, wanted, **asked.who)
    return data(rule.view(), status=201)


@router.get("/allowlist", **operation("rules.list", Rules, scope="network:read", sdk=("sandbox.network.rules", "client.network.rules")))
async def rules(asked: Asked, policy_id: str | None = None, resource_id: str | None = None, resource_type: str | None = None) -> Response:
    """Rules, oldest first."""
    found = await asked.services.network.rules(
        asked.principal, policy_id=policy_id, resource_id=resource_id, resource_type=resource_type, **asked.who
    )
    return JSON({"rules": [rule.view() for rule in found]})


@router.delete(
    "/allowlist/{rule:path}",
    **operation("rules.remove", scope="network:write", sdk=("sandbox.network.remove", "client.network.remove"), status=204),
)
async def remove(asked: Asked, rule: str, resource_id: str | None = None) -> Response:
    """Delete a rule, by id or by its host."""
    await asked.services.network.remove(asked.principal, rule, resource_id=resource_id, **asked.who)
    return nothing()


@router.get(
    "/policies", **operation("policies.list", Policies, scope="network:read", sdk=("sandbox.network.policies", "client.network.policies"))
)
async def policies(asked: Asked, resource_id: str | None = None, resource_type: str | None = None) -> Response:
    """Policies with their rules."""
    found = await asked.services.network.policies(asked.principal, resource_id=resource_id, resource_type=resource_type, **asked.who)
    return JSON({"policies": [policy.view() for policy in found]})


@router.post(
    "/policies",
    **operation(
        "policies.create",
        One[Policy],
        scope="network:write",
        sdk=("sandbox.network.create_policy", "client.network.create_policy"),
        status=201,
    ),
)
async def create(asked: Asked, given: Annotated[PolicyCreate, body(PolicyCreate)]) -> Response:
    """One more policy."""
    wanted = NewPolicy(
        name=given.name,
        mode=given.mode,
        default_effect=given.default_effect,
        resource_id=given.resource_id,
        resource_type=given.resource_type,
        description=given.description,
    )
    return data((await asked.services.network.create_policy(asked.principal, wanted, **asked.who)).view(), status=201)


@router.patch("/policies", **operation("policies.update_default", One[Policy], scope="network:write", compat="policies.update"))
async def change_of_resource(asked: Asked, given: Annotated[PolicyUpdate, body(PolicyUpdate)]) -> Response:
    """Change the resource's policy, or the tenant's default."""
    changed = await asked.services.network.update_policy(
        asked.principal, None, given.wanted(), resource_id=given.resource_id, resource_type=given.resource_type, **asked.who
    )
    return data(changed.view())


@router.get(
    "/policies/{policy}",
    **operation("policies.get", One[Policy], scope="network:read", sdk=("sandbox.network.get_policy", "client.network.get_policy")),
)
async def get(asked: Asked, policy: str) -> Response:
    """One policy with its rules, by its id or its sandbox's."""
    return data((await asked.services.network.get_policy(asked.principal, policy, **asked.who)).view())


@router.patch(
    "/policies/{policy}",
    **operation(
        "policies.update", One[Policy], scope="network:write", sdk=("sandbox.network.update_policy", "client.network.update_policy")
    ),
)
async def change(asked: Asked, policy: str, given: Annotated[PolicyUpdate, body(PolicyUpdate)]) -> Response:
    """Change a policy."""
    return data((await asked.services.network.update_policy(asked.principal, policy, given.wanted(), **asked.who)).view())


@router.post(
    "/lockdown",
    **operation("network.lockdown", One[Policy], scope="network:write", sdk=("sandbox.network.lockdown", "client.network.lockdown")),
)
async def lockdown(asked: Asked, given: Annotated[NetworkLockdown, body(NetworkLockdown)]) -> Response:
    """Rules and mode in one step; enforced when this answers."""
    locked = await asked.services.network.lockdown(
        asked.principal, given.hosts, resource_id=given.resource_id, resource_type=given.resource_type, **asked.who
    )
    return data(locked.view())


@router.post(
    "/observe",
    **operation("network.observe", One[Policy], scope="network:write", sdk=("sandbox.network.observe", "client.network.observe")),
)
async def observe(asked: Asked, given: Annotated[NetworkTarget, body(NetworkTarget)]) -> Response:
    """Open again; all is recorded."""
    opened = await asked.services.network.observe(
        asked.principal, resource_id=given.resource_id, resource_type=given.resource_type, **asked.who
    )
    return data(opened.view())


@router.get(
    "/pending", **operation("network.pending", Pending, scope="network:read", sdk=("sandbox.network.pending", "client.network.pending"))
)
async def pending(asked: Asked, resource_id: str | None = None, resource_type: str | None = None) -> Response:
    """What waits for an approval."""
    found = await asked.services.network.pending(asked.principal, resource_id=resource_id, resource_type=resource_type, **asked.who)
    return JSON({"pending": [seen.view() for seen in found]})


@router.get(
    "/audit/suggestions",
    **operation(
        "network.suggestions", Suggestions, scope="network:read", sdk=("sandbox.network.suggestions", "client.network.suggestions")
    ),
)
async def suggestions(asked: Asked, resource_id: str | None = None, resource_type: str | None = None, since: str = "7d") -> Response:
    """Hosts that were seen, with counts."""
    found = await asked.services.network.suggestions(
        asked.principal, resource_id=resource_id, resource_type=resource_type, since=since, **asked.who
    )
    return JSON({"suggestions": [seen.view() for seen in found]})
