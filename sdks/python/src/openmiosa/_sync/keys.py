# Generated from _async/keys.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Keys of this API, and what is derived from them."""

import builtins
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from .. import _envelope, _wire
from ..models import AdminEntry, ApiKey, KeyPreset, ScopedToken
from .pages import Pages
from .transport import Transport


class ApiKeys:
    """The keys of this key's tenant."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        scopes: Iterable[str] | None = None,
        preset: str | None = None,
        expires_at: datetime | str | None = None,
        external_user_id: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        ip_allowlist: Iterable[str] | None = None,
    ) -> ApiKey:
        """Make a key, with scopes or those of a preset; without either it may do what this one may.

        Its `token` is in this reply and never again.

        `ip_allowlist` are the addresses and networks that it may be used from; without one, any.
        """
        body = _wire.given(
            name=name, scopes=_wire.several("scopes", scopes), preset=preset, expires_at=expires_at, external_user_id=external_user_id,
            description=description, metadata=metadata, ip_allowlist=_wire.several("ip_allowlist", ip_allowlist),
        )  # fmt: skip
        return ApiKey.from_json(_envelope.one(self._transport.request("POST", "api-keys", json=body)))

    def create_scoped(
        self,
        external_user_id: str,
        *,
        scopes: Iterable[str] | None = None,
        expires_at: datetime | str | None = None,
        name: str | None = None,
    ) -> ApiKey:
        """Make a key that sees what belongs to one of your own users, and nothing else."""
        body = _wire.given(external_user_id=external_user_id, scopes=_wire.several("scopes", scopes), expires_at=expires_at, name=name)
        return ApiKey.from_json(_envelope.one(self._transport.request("POST", "api-keys/scoped", json=body)))

    def list(self, *, limit: int | None = None) -> Pages[ApiKey]:
        """The keys as an iterator, without their tokens. `limit` is the size of a page."""
        return Pages(self._transport, "api-keys", {"limit": limit}, ApiKey.from_json)

    def get(self, key_id: str) -> ApiKey:
        """One key, without its token."""
        return ApiKey.from_json(_envelope.one(self._transport.request("GET", _wire.path("api-keys", key_id))))

    def update(
        self,
        key_id: str,
        *,
        name: str | None = None,
        scopes: Iterable[str] | None = None,
        expires_at: datetime | str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        ip_allowlist: Iterable[str] | None = None,
    ) -> ApiKey:
        """Change what is given, its scopes never to more than this key has; an empty `ip_allowlist` opens it to all addresses."""
        body = _wire.given(
            name=name, scopes=_wire.several("scopes", scopes), expires_at=expires_at, description=description, metadata=metadata,
            ip_allowlist=_wire.several("ip_allowlist", ip_allowlist),
        )  # fmt: skip
        return ApiKey.from_json(_envelope.one(self._transport.request("PATCH", _wire.path("api-keys", key_id), json=body)))

    def rotate(self, key_id: str, *, overlap_seconds: int = 0) -> ApiKey:
        """Give it a new token, which is in this reply and never again; the old one ends now, or after the overlap."""
        path = _wire.path("api-keys", key_id, "rotate")
        return ApiKey.from_json(_envelope.one(self._transport.request("POST", path, json={"overlap_seconds": overlap_seconds})))

    def delete(self, key_id: str, *, keep_children: bool = False) -> None:
        """End a key, and those that it made unless they are to be kept; when this returns, they open nothing any more."""
        self._transport.request("DELETE", _wire.path("api-keys", key_id), params={"keep_children": keep_children or None})

    def events(self, key_id: str, *, type: str | None = None, limit: int | None = None) -> Pages[AdminEntry]:
        """What a key did and what was done to it, newest first; `type` is an act such as `identity:key:rotate`."""
        return Pages(self._transport, _wire.path("api-keys", key_id, "events"), {"type": type, "limit": limit}, AdminEntry.from_json)

    def presets(self) -> builtins.list[KeyPreset]:
        """Sets of scopes with a name, those that are built in first; for `create(…, preset=…)`."""
        return [KeyPreset.from_json(item) for item in _envelope.many(self._transport.request("GET", "api-keys/presets"))]

    def save_preset(self, name: str, scopes: Iterable[str], *, description: str | None = None) -> KeyPreset:
        """Keep a set of scopes under a name, replacing what is there."""
        body = _wire.given(name=name, scopes=_wire.several("scopes", scopes), description=description)
        return KeyPreset.from_json(_envelope.one(self._transport.request("POST", "api-keys/presets", json=body)))

    def delete_preset(self, name: str) -> None:
        """Forget a set of scopes; keys made from it stay as they are."""
        self._transport.request("DELETE", _wire.path("api-keys", "presets", name))


class Tokens:
    """Tokens that are derived from this key for a short while, for what should not hold the key itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_scoped(
        self,
        user_id: str,
        *,
        workspace_id: str | None = None,
        scopes: Iterable[str] | None = None,
        expires_in_seconds: int = 3600,
    ) -> ScopedToken:
        """A token for one of your own users, which sees what is theirs alone and ends by itself; use it as `api_key` of a client."""
        several = _wire.several("scopes", scopes)
        body = _wire.given(user_id=user_id, workspace_id=workspace_id, scopes=several, expires_in_seconds=expires_in_seconds)
        return ScopedToken.from_json(_envelope.one(self._transport.request("POST", "tokens/scoped", json=body)))
