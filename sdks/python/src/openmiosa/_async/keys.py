"""Keys of this API."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .. import _envelope, _wire
from ..models import ApiKey
from .pages import AsyncPages
from .transport import AsyncTransport


class AsyncApiKeys:
    """The keys of this key's tenant."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self, name: str, *, scopes: Iterable[str] | None = None, expires_at: datetime | str | None = None, **more: Any
    ) -> ApiKey:
        """Make a key. Its `token` is in this reply and never again."""
        body = _wire.given(name=name, scopes=None if scopes is None else list(scopes), expires_at=expires_at, **more)
        return ApiKey.from_json(_envelope.one(await self._transport.request("POST", "api-keys", json=body)))

    def list(self, **filters: Any) -> AsyncPages[ApiKey]:
        """The keys as an iterator, without their tokens."""
        return AsyncPages(self._transport, "api-keys", filters, ApiKey.from_json)

    async def delete(self, key_id: str) -> None:
        """End a key; when this returns, it opens nothing any more."""
        await self._transport.request("DELETE", _wire.path("api-keys", key_id))
