"""The record of one outbound call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .._text import plain
from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretTransforms(Record):
    """Names of the secrets that were put in place of their placeholders."""

    swapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTransforms(Record):
    """What was changed in a request on its way."""

    secrets: SecretTransforms = field(default_factory=SecretTransforms)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUse(Record):
    """A secret that went out with a request: which version, and where in the request."""

    name: str
    version: int | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """One outbound call; `status_code` is what the sandbox received (403 for a refusal, 0 for nothing)."""

    id: str
    number: int | None = None
    timestamp: datetime | None = None
    action: str = ""
    effect: str | None = None
    host: str = ""
    port: int | None = None
    protocol: str | None = None
    method: str | None = None
    path: str | None = None
    status_code: int = 0
    reason: str | None = None
    message: str | None = None
    rejected_by: str | None = None
    request_transforms: RequestTransforms = field(default_factory=RequestTransforms)
    secrets: tuple[SecretUse, ...] = ()
    duration_ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    ended_as: str | None = None
    policy_id: str | None = None
    rule_id: str | None = None
    policy_mode: str | None = None
    revision: int | None = None
    count: int = 1
    resource_id: str | None = None
    resource_type: str | None = None
    tenant_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    actor_id: str | None = None
    mcp: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def swapped(self) -> tuple[str, ...]:
        """Names of the secrets that this call carried."""
        return self.request_transforms.secrets.swapped

    def __str__(self) -> str:
        return f"[audit] {plain(self.action)} {plain(self.host)} HTTP {self.status_code} secrets={plain(','.join(self.swapped)) or 'none'}"
