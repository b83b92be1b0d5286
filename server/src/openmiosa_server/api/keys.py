"""/api-keys, /whoami and the administrative log."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from ..identity import AdminFilter
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.audit import AdminLog
from .schemas.common import Many, One
from .schemas.keys import ApiKey, NewApiKey, Whoami
from .times import Moment, moment

router = APIRouter(route_class=Route)


class ApiKeyCreate(Body):
    """A key to make; without scopes it has its maker's."""

    model_config = example({"name": "ci", "scopes": ["sandboxes:read", "audit:read"]})

    name: str
    scopes: list[str] | None = None
    expires_at: Moment | None = None
    external_user_id: str | None = Field(default=None, max_length=255)


class ApiKeyScoped(Body):
    """A key for one external user."""

    model_config = example({"external_user_id": "user-42", "scopes": ["sandboxes:read"]})

    external_user_id: str = Field(min_length=1, max_length=255)
    scopes: list[str] | None = None
    expires_at: Moment | None = None
    name: str | None = None


@router.post("/api-keys", **operation("api_keys.create", One[NewApiKey], scope="keys:write", sdk="client.api_keys.create", status=201))
async def create(asked: Asked, given: Annotated[ApiKeyCreate, body(ApiKeyCreate)]) -> Response:
    """The only answer that ever holds the key."""
    return await _create(asked, given.name, given)


@router.post(
    "/api-keys/scoped",
    **operation("api_keys.create_scoped", One[NewApiKey], scope="keys:write", sdk="client.api_keys.create_scoped", status=201),
)
async def create_scoped(asked: Asked, given: Annotated[ApiKeyScoped, body(ApiKeyScoped)]) -> Response:
    """A key that sees one external user's sandboxes and nothing else."""
    return await _create(asked, given.name or f"user {given.external_user_id}"[:255], given)


@router.get("/api-keys", **operation("api_keys.list", Many[ApiKey], scope="keys:read", sdk="client.api_keys.list"))
async def listed(asked: Asked) -> Response:
    """Living keys, without the keys."""
    return data([key.view() for key in await asked.services.identity.list_keys(asked.principal, **asked.who)])


@router.get("/api-keys/{api_key}", **operation("api_keys.get", One[ApiKey], scope="keys:read", sdk="client.api_keys.get"))
async def get(asked: Asked, api_key: str) -> Response:
    """One key."""
    return data((await asked.services.identity.get_key(asked.principal, api_key, **asked.who)).view())


@router.delete("/api-keys/{api_key}", **operation("api_keys.delete", scope="keys:write", sdk="client.api_keys.delete", status=204))
async def delete(asked: Asked, api_key: str) -> Response:
    """Revoke at once."""
    await asked.services.identity.delete_key(asked.principal, api_key, **asked.who)
    return nothing()


@router.get("/whoami", **operation("identity.whoami", One[Whoami], scope=None, sdk="client.whoami"))
async def whoami(asked: Asked) -> Response:
    """Whose key this is."""
    principal = asked.principal
    said = {"tenant_id": principal.tenant_id, "key_id": principal.key_id, "name": principal.name, "scopes": sorted(principal.scopes)}
    return data({**said, "external_user_id": principal.external_user_id})


@router.get("/audit-log", **operation("admin_log.list", AdminLog, scope="audit:read", sdk="client.admin_log.list"))
async def audit_log(
    asked: Asked,
    *,
    action: str | None = None,
    actor_id: str | None = None,
    resource: str | None = None,
    resource_type: str | None = None,
    resource_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    cursor: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Administrative acts, newest first."""
    wanted = AdminFilter(
        action=action,
        actor_id=actor_id,
        resource_type=resource_type or resource,
        resource_id=resource_id,
        since=moment(since, "since"),
        until=moment(until, "until"),
        cursor=cursor or after,
        limit=limit,
    )
    entries, following = await asked.services.identity.admin_log(asked.principal, wanted, **asked.who)
    shown = [entry.view() for entry in entries]
    return JSON({"data": shown, "meta": {"total": None, "page": None, "per_page": limit}, "next_cursor": following})


async def _create(asked: Asked, name: str, given: ApiKeyCreate | ApiKeyScoped) -> Response:
    scopes = None if given.scopes is None else tuple(given.scopes)
    made = await asked.services.identity.create_key(
        asked.principal, name, scopes, expires_at=given.expires_at, external_user_id=given.external_user_id, **asked.who
    )
    return data({**made.key.view(), "token": made.token, "key": made.token}, status=201)
