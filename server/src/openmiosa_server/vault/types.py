"""What goes into the vault and what is shown of it; values only ever go in."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..db.clock import optional_rfc3339, rfc3339
from .value import SecretValue


@dataclass(frozen=True, slots=True)
class SetSecret:
    """A secret as the caller gives it. The same name in the same scope and resource is an upsert."""

    name: str
    value: SecretValue | None = None  # None only for a connection that has no token yet
    type: str = "api_key"
    scope: str = "user"
    expose_as_env: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    provider: str | None = None
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    resource_id: str | None = None  # id or name of a sandbox
    resource_type: str | None = None
    refresh_token: SecretValue | None = None
    expires_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RotateSecret:
    """What changes at a rotation; None keeps what is there."""

    value: SecretValue | None = None
    refresh_token: SecretValue | None = None
    expires_at: datetime | None = None
    allowed_hosts: tuple[str, ...] | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SecretFilter:
    """Which secrets to list; None is any. `resource_id` may be a sandbox's name."""

    name: str | None = None
    scope: str | None = None
    type: str | None = None
    provider: str | None = None
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's description: everything but the value."""

    id: str
    tenant_id: str
    name: str
    type: str
    scope: str
    status: str
    provider: str | None
    preview: str | None
    expose_as_env: str | None
    allowed_hosts: tuple[str, ...]
    bound_hosts: tuple[str, ...]
    workspace_id: str | None
    owner_user_id: str | None
    external_user_id: str | None
    external_workspace_id: str | None
    resource_id: str | None
    resource_type: str | None
    metadata: dict[str, Any]
    version: int
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def masked_value(self) -> str | None:
        """Stars, and the last four characters where the value is long enough to spare them."""
        if self.version == 0:
            return None
        return "*" * 8 + (self.preview or "")

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        plain = ("id", "tenant_id", "name", "type", "scope", "status", "provider", "preview", "expose_as_env", "masked_value", "version")
        owners = ("workspace_id", "owner_user_id", "external_user_id", "external_workspace_id", "resource_id", "resource_type")
        return {
            **{name: getattr(self, name) for name in (*plain, *owners)},
            "allowed_hosts": list(self.allowed_hosts),
            "bound_hosts": list(self.bound_hosts),
            "inert": not self.bound_hosts,
            "metadata": self.metadata,
            "expires_at": optional_rfc3339(self.expires_at),
            "last_used_at": optional_rfc3339(self.last_used_at),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        }


@dataclass(frozen=True, slots=True)
class BoundSecret:
    """A secret together with the binding that setting it made, if it made one (in the API's form)."""

    secret: Secret
    binding: dict[str, Any] | None = None
