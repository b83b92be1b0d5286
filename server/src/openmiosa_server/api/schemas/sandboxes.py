"""Sandboxes, their variables, snapshots, previews and templates."""

from typing import Annotated, Any, Literal

from pydantic import Field

from .common import Moment, Number, Shape, Text

State = Literal["provisioning", "running", "paused", "destroyed", "error"]


class ResourceContract(Shape):
    """What a sandbox may use."""

    id: str
    version: str
    product: Literal["sandbox"]
    size: Text
    vcpus: int
    memory_mb: int
    disk_size_mb: int


class Sandbox(Shape):
    """A sandbox. `running` is the only state in which it takes commands; a paused one wakes up by itself."""

    id: Annotated[str, Field(pattern="^sbx_")]
    tenant_id: str
    name: Text
    slug: Text
    state: State
    state_reason: Annotated[Text, Field(description="Why it is in this state, when that is not plain.")]
    template_id: str
    size: Text
    cpu_count: int
    memory_mb: int
    disk_size_mb: int
    timeout_sec: Number
    idle_timeout_sec: Number
    persistent: bool
    always_on: bool
    metadata: dict[str, Any]
    workspace_id: Text
    owner_user_id: Text
    external_workspace_id: Text
    external_user_id: Text
    external_project_id: Text
    ready: bool
    status: Annotated[State, Field(description="The same as `state`.")]
    image_id: Annotated[str, Field(description="The same as `template_id`.")]
    tags: list[str]
    env_names: Annotated[list[str], Field(description="Names of its own variables; the values are under `/env`.")]
    timeout_remaining_ms: Number
    boot_ms: Number
    resource_contract: ResourceContract
    created_at: Moment
    inserted_at: Annotated[Moment, Field(description="The same as `created_at`.")]
    updated_at: Moment
    started_at: Moment | None
    ready_at: Moment | None
    destroyed_at: Moment | None


class Component(Shape):
    """One part of a sandbox's readiness."""

    status: Literal["ready", "waiting"]


class Readiness(Shape):
    """Whether a sandbox takes commands."""

    id: str
    state: State
    ready: bool
    status: Annotated[str, Field(description="`ready`, or the state.")]
    reason: Text
    components: dict[str, Component]


class ReadinessFrame(Readiness):
    """The same in a stream."""

    type: Literal["ready", "timeout"]


class Variable(Shape):
    """One variable of a sandbox."""

    key: str
    value: str
    encrypted: bool


class Variables(Shape):
    """The variables of a sandbox."""

    vars: list[Variable]


class VariablesAnswer(Shape):
    """The variables, under both names that clients read."""

    data: Variables
    vars: list[Variable]


class Snapshot(Shape):
    """A copy of a sandbox's files."""

    id: Annotated[str, Field(pattern="^snp_")]
    snapshot_id: Annotated[str, Field(description="The same as `id`.")]
    sandbox_id: str
    comment: Text
    state: Literal["creating", "ready", "failed"]
    status: Annotated[str, Field(description="The same as `state`.")]
    size_bytes: Number
    keep: Annotated[bool, Field(description="Whether it stays whatever its sandbox's retention says.")]
    expires_at: Moment | None
    created_at: Moment
    inserted_at: Moment


class SnapshotMade(Shape):
    """The id of a copy. Flat."""

    snapshot_id: str
    id: str


class Preview(Shape):
    """A port inside, reachable on a port of the server's loopback."""

    id: Annotated[str, Field(pattern="^prv_")]
    sandbox_id: str
    url: str
    port: int
    state: Literal["ready"]
    created_at: Moment


class Template(Shape):
    """What sandboxes can be made from."""

    id: str
    layers: int
    packages: list[str]
    python: Text
    created_at: Moment | None
