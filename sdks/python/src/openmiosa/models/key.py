"""Records of API keys, of who is asking, and of what was done with keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Record):
    """A key of this API; `token` is there once, in the reply to its creation, and never in a repr."""

    id: str
    name: str | None = None
    kind: str | None = None
    status: str | None = None
    prefix: str | None = None
    scopes: tuple[str, ...] = ()
    parent_id: str | None = None
    external_user_id: str | None = None
    tenant_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ip_allowlist: tuple[str, ...] | None = None
    rotated_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    created_at: datetime | None = None
    token: str | None = field(default=None, repr=False)
    # The token under the name that older servers give it; among the unknown fields it would be printed with them.
    key: str | None = field(default=None, repr=False)

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Read a key; servers call the plaintext `token` or `key`."""
        if isinstance(body, Mapping) and body.get("key") and not body.get("token"):
            body = {**body, "token": body["key"]}
        return super(ApiKey, cls).from_json(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Record):
    """Whom the server takes this client for."""

    tenant_id: str | None = None
    key_id: str | None = None
    name: str | None = None
    scopes: tuple[str, ...] = ()
    external_user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedToken(Record):
    """A token that was derived from a key for a short while; never in a repr."""

    token: str = field(repr=False)
    id: str | None = None
    scopes: tuple[str, ...] = ()
    user_id: str | None = None
    workspace_id: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPreset(Record):
    """A set of scopes with a name."""

    name: str
    builtin: bool = False
    scopes: tuple[str, ...] = ()
    description: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket(Record):
    """Opens one event stream, once and soon: for a browser's EventSource, which can send no key."""

    ticket: str = field(repr=False)
    expires_in: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminEntry(Record):
    """One administrative act, allowed or refused: who did what to which thing, from where."""

    id: str
    tenant_id: str | None = None
    actor_id: str | None = None
    actor_type: str | None = None
    action: str = ""
    outcome: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    ip_address: str | None = None
    request_id: str | None = None
    created_at: datetime | None = None
