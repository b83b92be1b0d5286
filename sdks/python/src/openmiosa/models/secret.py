"""Records of secrets, bindings and connected accounts. None of them ever holds a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Record):
    """A secret exposed to a resource under a variable; the placeholder is what the sandbox sees."""

    id: str
    tenant_id: str | None = None
    secret_id: str | None = None
    secret_name: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    expose_as_env: str | None = None
    placeholder: str | None = None
    inherited: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Record):
    """What may be known of a secret: everything but its value."""

    id: str
    tenant_id: str | None = None
    name: str
    type: str = "api_key"
    scope: str | None = None
    status: str | None = None
    provider: str | None = None
    preview: str | None = None
    masked_value: str | None = None
    expose_as_env: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    bound_hosts: tuple[str, ...] = ()
    inert: bool = False
    version: int | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    binding: Binding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(Record):
    """An account provider that can be connected on this server."""

    id: str | None = None
    name: str
    display_name: str | None = None
    scopes: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    expose_as_env: str | None = None
    configured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInfo(Record):
    """What a person needs to give consent: a URL, or with the device flow a code to enter at `verification_uri`."""

    state: str = field(repr=False)
    authorize_url: str | None = field(default=None, repr=False)
    provider: str | None = None
    secret_id: str | None = None
    flow: str = "code"
    redirect_uri: str | None = None
    verification_uri: str | None = None
    verification_uri_complete: str | None = None
    user_code: str | None = None
    interval: float | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStatus(Record):
    """How far a consent is."""

    status: str = "pending"
    state: str | None = field(default=None, repr=False)
    provider: str | None = None
    secret_id: str | None = None
    error: str | None = None
    message: str | None = None

    @property
    def done(self) -> bool:
        """The account is connected."""
        return self.status in ("completed", "ready", "succeeded", "connected", "active")

    @property
    def failed(self) -> bool:
        """It will not be connected by this consent."""
        return self.status in ("failed", "error", "denied", "expired")
