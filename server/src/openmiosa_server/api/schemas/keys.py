"""API keys, and who asks."""

from typing import Annotated, Any, Literal

from pydantic import Field

from .common import Moment, Shape, Text


class ApiKey(Shape):
    """An API key without the key."""

    id: Annotated[str, Field(pattern="^key_")]
    tenant_id: str
    name: str
    kind: Annotated[Literal["key", "token"], Field(description="A token is short-lived and in no list.")]
    prefix: str
    parent_id: Annotated[Text, Field(description="The key that made it, with whose revocation it ends.")]
    scopes: list[str]
    external_user_id: Text
    description: Text
    metadata: dict[str, Any]
    ip_allowlist: Annotated[list[str] | None, Field(description="Networks that it may be used from; null is any.")]
    status: Literal["active"]
    expires_at: Moment | None
    rotated_at: Moment | None
    last_used_at: Moment | None
    created_at: Moment


class NewApiKey(ApiKey):
    """The only answer that ever holds the key."""

    token: Annotated[str, Field(pattern="^msk_")]
    key: Annotated[str, Field(description="The same as `token`.")]


class Whoami(Shape):
    """Whose key this is."""

    tenant_id: str
    key_id: str
    name: str
    scopes: list[str]
    external_user_id: Text


class ScopePreset(Shape):
    """A named set of scopes."""

    name: str
    scopes: list[str]
    description: Text
    builtin: bool
    created_at: Moment | None


class ScopedToken(Shape):
    """A token for one end user, shown once. Flat."""

    token: Annotated[str, Field(pattern="^msk_")]
    id: Annotated[str, Field(pattern="^key_", description="Revokes it, at `/api-keys/{id}`.")]
    expires_at: Moment
    scopes: list[str]
    user_id: str
    workspace_id: Text


class StreamTicket(Shape):
    """Opens one stream. Flat."""

    ticket: Annotated[str, Field(pattern="^tkt_")]
    expires_in: Annotated[int, Field(description="Seconds.")]
