"""Providers: the shipped table, and the operator's registrations and own providers over it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from ..errors import Conflict, Invalid, NotFound
from ..vault import SecretValue


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider is spoken to."""

    name: str
    authorize_url: str | None = None
    token_url: str | None = None
    display_name: str | None = None
    device_url: str | None = None
    userinfo_url: str | None = None
    account_field: str | None = None
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    expose_as_env: str | None = None
    client_auth: str = "client_secret_post"
    authorize_parameters: dict[str, str] = field(default_factory=dict)
    client_id: str | None = None
    client_secret: SecretValue | None = None

    @property
    def secret_name(self) -> str:
        """The name of the secret that a connection makes."""
        return f"{self.name}_token"

    def view(self) -> dict[str, Any]:
        """As the API lists it."""
        return {
            "id": self.name,
            "name": self.name,
            "display_name": self.display_name or self.name,
            "scopes": list(self.scopes),
            "expose_as_env": self.expose_as_env,
            "hosts": list(self.hosts),
            "configured": self.client_id is not None,
            "flows": [*(["code"] if self.authorize_url else []), *(["device"] if self.device_url else [])],
        }


class Providers:
    """All providers of this installation."""

    def __init__(self, configured: Mapping[str, Mapping[str, Any]]) -> None:
        shipped = tomllib.loads(files(__package__).joinpath("providers.toml").read_text())
        self._all = {name: _provider(name, shipped.get(name, {}), configured.get(name, {})) for name in sorted({*shipped, *configured})}

    def all(self) -> list[Provider]:
        """Every provider, by name."""
        return list(self._all.values())

    def get(self, name: str) -> Provider:
        """One provider."""
        if name not in self._all:
            raise NotFound(f"no provider {name[:60]!r}; there are {', '.join(self._all)}", code="UNKNOWN_PROVIDER")
        return self._all[name]

    def ready(self, name: str, flow: str) -> Provider:
        """One provider that can be used for this flow."""
        provider = self.get(name)
        if provider.client_id is None:
            raise Conflict(
                f"{provider.display_name or name} is not set up here: register an application with it and set "
                f"oauth.providers.{name}.client_id and client_secret in the configuration",
                code="PROVIDER_NOT_CONFIGURED",
                details={"provider": name},
            )
        if (provider.device_url if flow == "device" else provider.authorize_url) is None or provider.token_url is None:
            raise Invalid(f"{provider.display_name or name} has no {flow} flow", code="FLOW_NOT_SUPPORTED", details={"field": "flow"})
        return provider


def check_url(url: str, what: str) -> str:
    """An address that a token request may go to; where it leads is checked again when it is dialled."""
    try:
        parts = urlsplit(url)
        proper = parts.scheme == "https" and parts.hostname and parts.username is None and not parts.fragment and parts.port != 0
    except ValueError:
        proper = False
    if not proper or len(url) > 2000 or not url.isascii() or not url.isprintable():
        raise Invalid(f"{what} must be an https:// address without a user name and a fragment", code="BAD_URL", details={"field": what})
    return url


def _provider(name: str, shipped: Mapping[str, Any], configured: Mapping[str, Any]) -> Provider:
    merged: dict[str, Any] = {**shipped, **{key: value for key, value in configured.items() if value is not None}}
    for key in ("scopes", "hosts"):
        merged[key] = tuple(merged.get(key) or ())
    for key in ("authorize_url", "token_url", "device_url", "userinfo_url"):
        if merged.get(key) is not None:
            check_url(merged[key], f"oauth.providers.{name}.{key}")
    if merged.get("client_secret") is not None:
        merged["client_secret"] = SecretValue(merged["client_secret"].get_secret_value())
    known = {entry.name for entry in fields(Provider)}
    return Provider(name=name, **{key: value for key, value in merged.items() if key in known})
