"""Events of egress, and the administrative log."""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from .common import Moment, Number, Shape, StreamError, Text


class Swapped(Shape):
    """Names of the secrets whose values were put in."""

    swapped: list[str]


class Transforms(Shape):
    """What was changed on the way."""

    secrets: Swapped


class Use(Shape):
    """One place where a secret stood."""

    name: Text
    version: Number
    place: Text


class Event(Shape):
    """One outbound call, also a refused or an aborted one."""

    id: Annotated[str, Field(pattern="^evt_")]
    number: Annotated[int, Field(description="Its place in the order of all events.")]
    tenant_id: str
    resource_id: str
    resource_type: str
    action: Literal["allow", "reject", "stub", "error", "client_cancel"]
    effect: Literal["allow", "deny"]
    host: str
    port: Number
    protocol: Text
    method: Text
    path: Annotated[Text, Field(description="Without its query.")]
    status_code: Annotated[int, Field(description="What the sandbox received; 0 is nothing.")]
    reason: Text
    rejected_by: Text
    message: Text
    policy_id: Text
    rule_id: Text
    policy_mode: Text
    revision: Number
    count: int
    duration_ms: float | None
    bytes_in: Number
    bytes_out: Number
    ended_as: Text
    request_transforms: Transforms
    secrets: list[Use]
    external_user_id: Text
    external_workspace_id: Text
    actor_id: str
    metadata: dict[str, Any]
    mcp: None
    timestamp: Moment
    inserted_at: Moment


class Events(Shape):
    """Events, oldest first; `next_cursor` is the id of the last when more follow."""

    events: list[Event]
    next_cursor: Text


class EventFrame(Event):
    """An event in a tail."""

    type: Literal["audit"]


class TailFrame(RootModel[EventFrame | StreamError]):
    """What a tail carries."""


class LifecycleFrame(Shape):
    """What happened to a sandbox: `sandbox.started`, `sandbox.exec.completed` and so on. Live alone, and not kept."""

    type: Annotated[str, Field(pattern=r"^sandbox\.")]
    id: Annotated[str, Field(pattern="^lev_")]
    tenant_id: str
    resource_id: str
    resource_type: Literal["sandbox"]
    action: Annotated[str, Field(description="The same as `type`.")]
    effect: Literal["allow"]
    host: Annotated[str, Field(description="The sandbox's name.")]
    status_code: Literal[0]
    external_user_id: Text
    external_workspace_id: Text
    request_transforms: Transforms
    metadata: dict[str, Any]
    timestamp: Moment
    inserted_at: Moment


class EventsFrame(RootModel[EventFrame | LifecycleFrame | StreamError]):
    """What an event stream carries: calls, and what happens to sandboxes."""


class AdminEntry(Shape):
    """One administrative act, allowed, refused or failed."""

    id: str
    tenant_id: str
    actor_id: Text
    actor_type: str
    action: str
    type: Annotated[str, Field(description="The same as `action`.")]
    outcome: Literal["allowed", "refused", "failed"]
    resource: Annotated[Text, Field(description="The same as `resource_type`.")]
    resource_type: Text
    resource_id: Text
    metadata: dict[str, Any]
    ip_address: Text
    request_id: Text
    created_at: Moment
    inserted_at: Moment


class AdminMeta(Shape):
    """How many entries there are, and which of them these are."""

    total: int
    page: Number
    per_page: int


class AdminLog(Shape):
    """Administrative acts, newest first."""

    data: list[AdminEntry]
    meta: AdminMeta
    next_cursor: Text
