"""Secrets, bindings, connections, rules and policies."""

from typing import Annotated, Any, Literal

from pydantic import Field

from .common import Moment, Number, Shape, Text

Scope = Literal["tenant", "workspace", "user", "external_user", "external_workspace"]
Effect = Literal["allow", "deny"]


class Secret(Shape):
    """A secret without its value, which only ever goes in."""

    id: Annotated[str, Field(pattern="^sec_")]
    tenant_id: str
    name: str
    type: str
    scope: Scope
    status: Annotated[Literal["ready", "pending", "needs_reauth", "failed"], Field(description="Of a connection: how it stands.")]
    provider: Text
    preview: Text
    expose_as_env: Text
    masked_value: Text
    version: int
    workspace_id: Text
    owner_user_id: Text
    external_user_id: Text
    external_workspace_id: Text
    resource_id: Text
    resource_type: Text
    allowed_hosts: Annotated[list[str], Field(description="Hosts that were given with it.")]
    bound_hosts: Annotated[list[str], Field(description="Hosts that its value may go to.")]
    inert: Annotated[bool, Field(description="Whether no host is bound, so that it is never sent.")]
    metadata: dict[str, Any]
    expires_at: Moment | None
    last_used_at: Moment | None
    created_at: Moment
    updated_at: Moment


class Binding(Shape):
    """A secret given to a sandbox under a variable, as a placeholder."""

    id: Annotated[str, Field(pattern="^bnd_")]
    tenant_id: str
    secret_id: str
    secret_name: str
    resource_id: str
    resource_type: str
    expose_as_env: str
    placeholder: str
    placeholder_token: Annotated[str, Field(description="The same as `placeholder`.")]
    inherited: Annotated[bool, Field(description="Whether it came through a scope instead of a call.")]
    created_at: Moment


class SecretSetAnswer(Shape):
    """A secret, and the binding that setting it made."""

    data: Secret
    binding: Binding | None


class SecretAnswer(Shape):
    """A secret."""

    data: Secret


class Secrets(Shape):
    """Secrets without values."""

    secrets: list[Secret]


class Bindings(Shape):
    """Bindings."""

    bindings: list[Binding]


class Provider(Shape):
    """Where an account can be connected."""

    id: str
    name: str
    display_name: str
    scopes: list[str]
    expose_as_env: Text
    hosts: list[str]
    configured: Annotated[bool, Field(description="Whether this installation has a client of its own with it.")]
    flows: list[Literal["code", "device"]]


class Started(Shape):
    """Where the person goes to consent."""

    authorize_url: str
    state: str
    provider: str
    secret_id: str
    expires_at: Moment
    redirect_uri: str
    flow: Literal["device"] = "device"
    user_code: str = ""
    verification_uri: Text = None
    interval: float | None = None


class Attempt(Shape):
    """How a connection attempt stands."""

    status: Literal["pending", "completed", "failed", "denied"]
    state: str
    secret_id: Text
    provider: str
    error: Text
    message: Text


class Rule(Shape):
    """One allow or deny."""

    id: Annotated[str, Field(pattern="^rul_")]
    host: str
    port: Number
    effect: Effect
    methods: list[str] | None
    path_glob: Text
    policy_id: str
    resource_id: Text
    resource_type: Text
    note: Text
    created_at: Moment


class Rules(Shape):
    """Rules, oldest first."""

    rules: list[Rule]


class Policy(Shape):
    """A policy of a sandbox, of a workspace, or (without resource) of the tenant, with its rules."""

    id: Annotated[str, Field(pattern="^pol_")]
    name: str
    mode: Literal["audit_only", "enforce"]
    default_effect: Effect
    resource_id: Text
    resource_type: Text
    description: Text
    locked_at: Moment | None
    created_at: Moment
    updated_at: Moment
    rules: list[Rule]
    allow_rules: list[Rule]
    deny_rules: list[Rule]


class Policies(Shape):
    """Policies with their rules."""

    policies: list[Policy]


class Observed(Shape):
    """A host that was seen, or one that waits for an approval."""

    host: str
    port: Number
    methods: list[str]
    path_glob: Text
    count: int
    denied_count: int
    first_seen: Moment
    last_seen: Moment
    reason: Text
    resource_id: Text
    resource_type: Text
    secret: Text


class Suggestions(Shape):
    """Hosts that were seen."""

    suggestions: list[Observed]


class Pending(Shape):
    """What waits for an approval."""

    pending: list[Observed]
