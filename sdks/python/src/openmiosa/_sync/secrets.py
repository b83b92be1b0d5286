# Generated from _async/secrets.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Secrets: values go in and never come out; sandboxes see placeholders."""

import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .. import _envelope, _wire
from ..models import Binding, ConnectionInfo, Provider, Secret
from .connection import Connection
from .transport import Transport


class Secrets:
    """The secrets of one sandbox, or without one those of the tenant. Every `secret` argument is an id or a name."""

    def __init__(self, transport: Transport, sandbox_id: str | None = None) -> None:
        self._transport = transport
        self._resource = _wire.given(resource_id=sandbox_id, resource_type="sandbox" if sandbox_id else None)

    def set(
        self,
        *,
        name: str,
        value: str,
        expose_as_env: str | None = None,
        allowed_hosts: Iterable[str] | None = None,
        type: str = "api_key",
        scope: str = "user",
        provider: str | None = None,
        refresh_token: str | None = None,
        resource_id: str | None = None,
        workspace_id: str | None = None,
        owner_user_id: str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
        expires_at: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Secret:
        """Store a value. It goes out only to `allowed_hosts`, or to those of the provider that it is recognised as belonging to.

        With a `scope` wider than one sandbox (`external_user`, `external_workspace`, `workspace`, `user`, `tenant`), the id of
        its owner and `expose_as_env`, every sandbox of that owner has it, also those made later.
        """
        body = self._of(resource_id) | _wire.given(
            name=name, value=value, expose_as_env=expose_as_env, allowed_hosts=_wire.several("allowed_hosts", allowed_hosts),
            type=type, scope=scope, provider=provider, refresh_token=refresh_token, workspace_id=workspace_id, owner_user_id=owner_user_id,
            external_user_id=external_user_id, external_workspace_id=external_workspace_id, expires_at=expires_at, metadata=metadata,
        )  # fmt: skip
        return _secret(self._transport.request("POST", "egress/secrets", json=body))

    def list(
        self,
        *,
        name: str | None = None,
        type: str | None = None,
        scope: str | None = None,
        provider: str | None = None,
        workspace_id: str | None = None,
        owner_user_id: str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
    ) -> builtins.list[Secret]:
        """Metadata of the secrets, of those that fit what is given."""
        owners = {"workspace_id": workspace_id, "owner_user_id": owner_user_id, "external_user_id": external_user_id}
        filters = {
            "name": name,
            "type": type,
            "scope": scope,
            "provider": provider,
            "external_workspace_id": external_workspace_id,
            **owners,
        }
        reply = self._transport.request("GET", "egress/secrets", params=self._resource | filters)
        return [Secret.from_json(item) for item in _envelope.many(reply)]

    def get(self, secret: str) -> Secret:
        """One secret's metadata."""
        return _secret(self._transport.request("GET", _wire.path("egress", "secrets", secret), params=self._resource))

    def rotate(
        self,
        secret: str,
        new_value: str,
        *,
        refresh_token: str | None = None,
        expires_at: datetime | str | None = None,
        allowed_hosts: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Secret:
        """Replace the value. Placeholders stay; when this returns, no new request uses the old value."""
        hosts = _wire.several("allowed_hosts", allowed_hosts)
        body = _wire.given(value=new_value, refresh_token=refresh_token, expires_at=expires_at, allowed_hosts=hosts, metadata=metadata)
        return _secret(self._transport.request("PATCH", _wire.path("egress", "secrets", secret), params=self._resource, json=body))

    def delete(self, secret: str) -> None:
        """Forget a secret and its bindings; when this returns, no request uses it."""
        self._transport.request("DELETE", _wire.path("egress", "secrets", secret), params=self._resource)

    def connect(
        self,
        provider: str,
        *,
        expose_as_env: str | None = None,
        flow: str | None = None,
        scopes: Iterable[str] | None = None,
        scope: str | None = None,
        redirect_uri: str | None = None,
        resource_id: str | None = None,
        workspace_id: str | None = None,
        owner_user_id: str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
    ) -> Connection:
        """Begin to connect an account: show the URL (or, with flow="device", the code) to a person, then `wait_for_completion()`."""
        body = self._of(resource_id) | _wire.given(
            provider=provider, expose_as_env=expose_as_env, flow=flow, scopes=_wire.several("scopes", scopes), scope=scope,
            redirect_uri=redirect_uri, workspace_id=workspace_id, owner_user_id=owner_user_id, external_user_id=external_user_id,
            external_workspace_id=external_workspace_id,
        )  # fmt: skip
        reply = self._transport.request("POST", "egress/oauth/start", json=body)
        return Connection(self._transport, ConnectionInfo.from_json({"provider": provider, **_envelope.one(reply)}))

    def reauthorize(self, secret: str, *, flow: str | None = None) -> Connection:
        """Ask for consent again, for an account whose consent was withdrawn or whose scopes change; placeholders stay."""
        path = _wire.path("egress", "secrets", secret, "reauthorize")
        reply = self._transport.request("POST", path, params=self._resource, json=_wire.given(flow=flow))
        return Connection(self._transport, ConnectionInfo.from_json(_envelope.one(reply)))

    def add_machine_oauth(
        self,
        *,
        name: str,
        token_url: str,
        client_id: str,
        client_secret: str,
        scopes: Iterable[str] | None = None,
        expose_as_env: str | None = None,
        allowed_hosts: Iterable[str] | None = None,
        client_auth: str | None = None,
        scope: str | None = None,
        resource_id: str | None = None,
        workspace_id: str | None = None,
        owner_user_id: str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
    ) -> Secret:
        """Tokens by client credentials, fetched and renewed by the server; the client secret never has a placeholder."""
        body = self._of(resource_id) | _wire.given(
            name=name, token_url=token_url, client_id=client_id, client_secret=client_secret, expose_as_env=expose_as_env,
            scopes=_wire.several("scopes", scopes), allowed_hosts=_wire.several("allowed_hosts", allowed_hosts),
            client_auth=client_auth, scope=scope, workspace_id=workspace_id, owner_user_id=owner_user_id, external_user_id=external_user_id,
            external_workspace_id=external_workspace_id,
        )  # fmt: skip
        return _secret(self._transport.request("POST", "egress/oauth/machine", json=body))

    def providers(self) -> builtins.list[Provider]:
        """The account providers that this server can connect."""
        return [Provider.from_json(item) for item in _envelope.many(self._transport.request("GET", "egress/oauth/providers"))]

    def bind(self, secret: str, *, expose_as_env: str, resource_id: str | None = None) -> Binding:
        """Expose a secret that exists to this sandbox, or to `resource_id`, under a variable."""
        body = {"secret_id": secret, "expose_as_env": expose_as_env, **self._of(resource_id)}
        reply = self._transport.request("POST", "egress/bindings", json=body)
        return Binding.from_json(_envelope.one(reply, "binding"))

    def bindings(self, *, secret_id: str | None = None) -> builtins.list[Binding]:
        """Which secrets are exposed where, and under which placeholders."""
        reply = self._transport.request("GET", "egress/bindings", params={**self._resource, "secret_id": secret_id})
        return [Binding.from_json(item) for item in _envelope.many(reply)]

    def unbind(self, binding_id: str) -> None:
        """Take a binding back; the secret stays."""
        self._transport.request("DELETE", _wire.path("egress", "bindings", binding_id))

    def _of(self, resource_id: str | None) -> dict[str, Any]:
        """The sandbox that is meant: this handle's, or without one the one that is named."""
        if resource_id is None or self._resource:
            return self._resource
        return {"resource_id": resource_id, "resource_type": "sandbox"}


def _secret(reply: Any) -> Secret:
    """A secret with the binding that came beside it."""
    record = _envelope.one(reply, "secret")
    beside = reply.get("binding") if isinstance(reply, Mapping) else None
    return Secret.from_json({**record, "binding": beside} if isinstance(beside, Mapping) else record)
