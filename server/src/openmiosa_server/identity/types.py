"""Who asks, and what the records about it look like."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..db.clock import optional_rfc3339, rfc3339

SCOPES = (
    "sandboxes:read",
    "sandboxes:write",
    "secrets:read",
    "secrets:write",
    "network:read",
    "network:write",
    "audit:read",
    "keys:read",
    "keys:write",
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of an API key. With `external_user_id` it sees that end user's sandboxes and nothing else."""

    tenant_id: str
    key_id: str
    name: str
    scopes: frozenset[str]
    external_user_id: str | None = None
    credential: str | None = field(default=None, repr=False)  # the hash of what was presented, which a rotation replaces


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What the edge knows of the request, for the administrative log."""

    request_id: str | None = None
    ip_address: str | None = None


@dataclass(frozen=True, slots=True)
class KeyDetails:
    """What may be said of a key beside its name and scopes."""

    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    ip_allowlist: tuple[str, ...] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What changes in a key; None keeps what is there, an empty allowlist opens it again."""

    name: str | None = None
    scopes: tuple[str, ...] | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    ip_allowlist: tuple[str, ...] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without the key."""

    id: str
    tenant_id: str
    name: str
    kind: str
    prefix: str
    parent_id: str | None
    scopes: tuple[str, ...]
    external_user_id: str | None
    description: str | None
    metadata: dict[str, Any]
    ip_allowlist: tuple[str, ...] | None
    expires_at: datetime | None
    rotated_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "tenant_id": self.tenant_id,
            "name": self.name,
            "kind": self.kind,
            "prefix": self.prefix,
            "parent_id": self.parent_id,
            "scopes": list(self.scopes),
            "external_user_id": self.external_user_id,
            "description": self.description,
            "metadata": self.metadata,
            "ip_allowlist": None if self.ip_allowlist is None else list(self.ip_allowlist),
            "status": "active",
            "expires_at": optional_rfc3339(self.expires_at),
            "rotated_at": optional_rfc3339(self.rotated_at),
            "last_used_at": optional_rfc3339(self.last_used_at),
            "created_at": rfc3339(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of scopes."""

    name: str
    scopes: tuple[str, ...]
    description: str | None
    builtin: bool
    created_at: datetime | None = None

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "name": self.name,
            "scopes": list(self.scopes),
            "description": self.description,
            "builtin": self.builtin,
            "created_at": optional_rfc3339(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only moment at which `token` exists outside its owner's hands."""

    key: ApiKey
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AdminEntry:
    """One administrative act, allowed, refused or failed."""

    id: str
    tenant_id: str
    actor_id: str | None
    actor_type: str
    action: str
    outcome: str
    resource_type: str | None
    resource_id: str | None
    metadata: dict[str, Any]
    ip_address: str | None
    request_id: str | None
    created_at: datetime

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "tenant_id": self.tenant_id,
            "actor_id": self.actor_id,
            "actor_type": self.actor_type,
            "action": self.action,
            "type": self.action,
            "outcome": self.outcome,
            "resource": self.resource_type,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "metadata": self.metadata,
            "ip_address": self.ip_address,
            "request_id": self.request_id,
            "created_at": rfc3339(self.created_at),
            "inserted_at": rfc3339(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class AdminFilter:
    """Which administrative entries to list, newest first.

    `cursor` is the id of the last entry seen, `page` counts from one instead. `kind` is an action, or with `*` many.
    `about` is a key: what it did and what was done to it.
    """

    action: str | None = None
    kind: str | None = None
    about: str | None = None
    actor_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    page: int | None = None
    limit: int = 50
