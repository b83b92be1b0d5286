"""What a connection is asked for with and answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ..db.clock import rfc3339
from ..vault import SecretValue


@dataclass(frozen=True, slots=True)
class StartConnection:
    """An account to connect."""

    provider: str
    flow: str = "code"
    expose_as_env: str | None = None
    scope: str | None = None  # the vault's scope, or the provider's scopes in one text: the wire uses the word for both
    scopes: tuple[str, ...] | None = None
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True)
class MachineConnection:
    """A client with a secret of its own, and no person."""

    name: str
    token_url: str
    client_id: str
    client_secret: SecretValue
    scopes: tuple[str, ...] = ()
    client_auth: str = "client_secret_basic"
    expose_as_env: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    scope: str = "user"
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """Where the person goes, and how the caller recognises the flow."""

    provider: str
    state: str
    secret_id: str
    expires_at: datetime
    redirect_uri: str
    authorize_url: str
    user_code: str | None = None
    verification_uri: str | None = None
    interval: float | None = None

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "authorize_url": self.authorize_url,
            "state": self.state,
            "provider": self.provider,
            "secret_id": self.secret_id,
            "expires_at": rfc3339(self.expires_at),
            "redirect_uri": self.redirect_uri,
        }
        if self.user_code is not None:
            shown |= {"flow": "device", "user_code": self.user_code, "verification_uri": self.verification_uri, "interval": self.interval}
        return shown


@dataclass(frozen=True, slots=True)
class Finished:
    """What the callback page says."""

    ok: bool
    title: str
    message: str
    redirect: str | None = None


class Publishes(Protocol):
    """The link, as far as connections need it."""

    async def publish_secret(self, secret_id: str) -> None:
        """Put a secret's newest value and state wherever it is used."""
