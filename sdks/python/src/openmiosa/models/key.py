"""Records of API keys and of who is asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Record):
    """A key of this API; `token` is there once, in the reply to its creation, and never in a repr."""

    id: str
    name: str | None = None
    prefix: str | None = None
    scopes: tuple[str, ...] = ()
    external_user_id: str | None = None
    tenant_id: str | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    created_at: datetime | None = None
    token: str | None = field(default=None, repr=False)

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
