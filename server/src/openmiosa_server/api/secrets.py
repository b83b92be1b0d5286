"""/egress/secrets and /egress/bindings."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ..errors import Invalid
from ..vault import RotateSecret, SecretFilter, SecretValue, SetSecret
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import One
from .schemas.egress import Binding, Bindings, Secret, Secrets, SecretSetAnswer
from .times import Moment

router = APIRouter(prefix="/egress", route_class=Route)

Text = Annotated[str | None, Field(default=None, max_length=255)]


class SecretSet(Body):
    """A secret; the value only ever goes in."""

    model_config = example(
        {
            "name": "openai_key",
            "value": "sk-proj-example0123456789",
            "expose_as_env": "OPENAI_API_KEY",
            "resource_id": "agent",
            "resource_type": "sandbox",
        }
    )

    name: str
    value: str | None = None
    type: str = Field(default="api_key", min_length=1, max_length=64)
    scope: str = Field(default="user", max_length=24)
    expose_as_env: Text
    allowed_hosts: list[str] | None = None
    provider: Text
    workspace_id: Text
    owner_user_id: Text
    external_user_id: Text
    external_workspace_id: Text
    resource_id: Text
    resource_type: Text
    refresh_token: str | None = None
    expires_at: Moment | None = None
    metadata: dict[str, Any] | None = None

    def wanted(self) -> SetSecret:
        """As the vault takes it."""
        return SetSecret(
            name=self.name,
            value=None if self.value is None else SecretValue(self.value),
            type=self.type,
            scope=self.scope,
            expose_as_env=self.expose_as_env,
            allowed_hosts=tuple(hosts_of(self.allowed_hosts, self.metadata) or ()),
            provider=self.provider,
            workspace_id=self.workspace_id,
            owner_user_id=self.owner_user_id,
            external_user_id=self.external_user_id,
            external_workspace_id=self.external_workspace_id,
            resource_id=self.resource_id,
            resource_type=self.resource_type,
            refresh_token=None if self.refresh_token is None else SecretValue(self.refresh_token),
            expires_at=self.expires_at,
            metadata=self.metadata or {},
        )


class SecretRotate(Body):
    """What changes; the placeholder stays."""

    model_config = example({"value": "sk-proj-example9876543210"})

    value: str | None = None
    refresh_token: str | None = None
    expires_at: Moment | None = None
    allowed_hosts: list[str] | None = None
    metadata: dict[str, Any] | None = None


class BindingCreate(Body):
    """A secret for a sandbox."""

    model_config = example({"secret_id": "openai_key", "resource_id": "agent", "expose_as_env": "OPENAI_API_KEY"})

    secret_id: str
    resource_id: str
    resource_type: str | None = None
    expose_as_env: str | None = None


class SecretFilters(BaseModel):
    """Which secrets to list."""

    name: str | None = None
    scope: str | None = None
    type: str | None = None
    provider: str | None = None
    workspace_id: str | None = None
    owner_user_id: str | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    resource_id: str | None = None
    resource_type: str | None = None


@router.post(
    "/secrets",
    **operation("secrets.set", SecretSetAnswer, scope="secrets:write", sdk=("sandbox.secrets.set", "client.secrets.set"), status=201),
)
async def set_secret(asked: Asked, given: Annotated[SecretSet, body(SecretSet)]) -> Response:
    """Store; the same name in the same place is a new version."""
    bound = await asked.services.vault.set(asked.principal, given.wanted(), **asked.who)
    return data(bound.secret.view(), status=201, binding=bound.binding)


@router.get("/secrets", **operation("secrets.list", Secrets, scope="secrets:read", sdk=("sandbox.secrets.list", "client.secrets.list")))
async def listed(asked: Asked, wanted: Annotated[SecretFilters, Query()]) -> Response:
    """Descriptions, never values."""
    found = await asked.services.vault.list(asked.principal, SecretFilter(**wanted.model_dump()), **asked.who)
    return JSON({"secrets": [secret.view() for secret in found]})


@router.get(
    "/secrets/{secret}", **operation("secrets.get", One[Secret], scope="secrets:read", sdk=("sandbox.secrets.get", "client.secrets.get"))
)
async def get(asked: Asked, secret: str, resource_id: str | None = None) -> Response:
    """One description."""
    return data((await asked.services.vault.get(asked.principal, secret, resource_id=resource_id, **asked.who)).view())


@router.patch(
    "/secrets/{secret}",
    **operation("secrets.rotate", One[Secret], scope="secrets:write", sdk=("sandbox.secrets.rotate", "client.secrets.rotate")),
)
async def rotate(asked: Asked, secret: str, given: Annotated[SecretRotate, body(SecretRotate)], resource_id: str | None = None) -> Response:
    """A new value: when this answers, no later request uses the old one."""
    hosts = hosts_of(given.allowed_hosts, given.metadata)
    change = RotateSecret(
        value=None if given.value is None else SecretValue(given.value),
        refresh_token=None if given.refresh_token is None else SecretValue(given.refresh_token),
        expires_at=given.expires_at,
        allowed_hosts=None if hosts is None else tuple(hosts),
        metadata=given.metadata,
    )
    return data((await asked.services.vault.rotate(asked.principal, secret, change, resource_id=resource_id, **asked.who)).view())


@router.delete(
    "/secrets/{secret}",
    **operation("secrets.delete", scope="secrets:write", sdk=("sandbox.secrets.delete", "client.secrets.delete"), status=204),
)
async def delete(asked: Asked, secret: str, resource_id: str | None = None) -> Response:
    """Destroy it: when this answers, nothing uses it."""
    await asked.services.vault.delete(asked.principal, secret, resource_id=resource_id, **asked.who)
    return nothing()


@router.post(
    "/bindings",
    **operation("bindings.create", One[Binding], scope="secrets:write", sdk=("sandbox.secrets.bind", "client.secrets.bind"), status=201),
)
async def bind(asked: Asked, given: Annotated[BindingCreate, body(BindingCreate)]) -> Response:
    """Give a sandbox a secret under a variable."""
    made = await asked.services.bindings.bind(
        asked.principal, given.secret_id, given.resource_id, given.expose_as_env, resource_type=given.resource_type, **asked.who
    )
    return data(made.view(), status=201)


@router.get(
    "/bindings", **operation("bindings.list", Bindings, scope="secrets:read", sdk=("sandbox.secrets.bindings", "client.secrets.bindings"))
)
async def bindings(
    asked: Asked, resource_id: str | None = None, resource_type: str | None = None, secret_id: str | None = None
) -> Response:
    """Who has what, under which variable."""
    found = await asked.services.bindings.list(
        asked.principal, resource_id=resource_id, resource_type=resource_type, secret_id=secret_id, **asked.who
    )
    return JSON({"bindings": [binding.view() for binding in found]})


@router.delete(
    "/bindings/{binding}",
    **operation("bindings.delete", scope="secrets:write", sdk=("sandbox.secrets.unbind", "client.secrets.unbind"), status=204),
)
async def unbind(asked: Asked, binding: str) -> Response:
    """Take it away."""
    await asked.services.bindings.unbind(asked.principal, binding, **asked.who)
    return nothing()


def hosts_of(direct: list[str] | None, metadata: dict[str, Any] | None) -> list[str] | None:
    """`allowed_hosts`, at the top or in the metadata, where older clients can put it."""
    hosts = direct if direct is not None else (metadata or {}).get("allowed_hosts")
    if hosts is None:
        return None
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise Invalid("metadata.allowed_hosts is a list of host names", details={"field": "metadata.allowed_hosts"})
    return hosts
