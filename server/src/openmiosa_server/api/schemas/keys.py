"""API keys, and who asks."""

from typing import Annotated

from pydantic import Field

from .common import Moment, Shape, Text


class ApiKey(Shape):
    """An API key without the key."""

    id: Annotated[str, Field(pattern="^key_")]
    tenant_id: str
    name: str
    prefix: str
    scopes: list[str]
    external_user_id: Text
    expires_at: Moment | None
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
