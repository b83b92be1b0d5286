# Generated from _async/keys.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Keys of this API."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .. import _envelope, _wire
from ..models import ApiKey
from .pages import Pages
from .transport import Transport


class ApiKeys:
    """The keys of this key's tenant."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, name: str, *, scopes: Iterable[str] | None = None, expires_at: datetime | str | None = None, **more: Any
    ) -> ApiKey:
        """Make a key. Its `token` is in this reply and never again."""
        body = _wire.given(name=name, scopes=None if scopes is None else list(scopes), expires_at=expires_at, **more)
        return ApiKey.from_json(_envelope.one(self._transport.request("POST", "api-keys", json=body)))

    def list(self, **filters: Any) -> Pages[ApiKey]:
        """The keys as an iterator, without their tokens."""
        return Pages(self._transport, "api-keys", filters, ApiKey.from_json)

    def delete(self, key_id: str) -> None:
        """End a key; when this returns, it opens nothing any more."""
        self._transport.request("DELETE", _wire.path("api-keys", key_id))
