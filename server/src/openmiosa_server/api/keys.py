"""/api-keys, /whoami and the administrative log."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from ..errors import Invalid
from ..identity import AdminFilter, KeyChange, KeyDetails, NewKey
from .answers import JSON, data, nothing
from .bodies import Body, body, example
from .context import Asked, Caller
from .operation import operation
from .route import Route
from .schemas.audit import AdminEntry, AdminLog
from .schemas.common import Many, One, Page
from .schemas.keys import ApiKey, NewApiKey, ScopePreset, Whoami
from .times import Moment, moment

router = APIRouter(route_class=Route)


class ApiKeyCreate(Body):
    """A key to make; its scopes are those given, or those of a preset, or its maker's."""

    model_config = example({"name": "ci", "scopes": ["sandboxes:read", "audit:read"]})

    name: str
    scopes: list[str] | None = None
    preset: str | None = Field(default=None, max_length=64)
    expires_at: Moment | None = None
    external_user_id: str | None = Field(default=None, max_length=255)
    description: str | None = Field(default=None, max_length=1000)
    metadata: dict[str, Any] | None = None
    ip_allowlist: list[str] | None = None


class ApiKeyScoped(Body):
    """A key for one external user."""

    model_config = example({"external_user_id": "user-42", "scopes": ["sandboxes:read"]})

    external_user_id: str = Field(min_length=1, max_length=255)
    scopes: list[str] | None = None
    expires_at: Moment | None = None
    name: str | None = None


class ApiKeyUpdate(Body):
    """What changes; an empty `ip_allowlist` opens the key to all addresses again."""

    model_config = example({"description": "of the build machines"})

    name: str | None = None
    scopes: list[str] | None = None
    expires_at: Moment | None = None
    description: str | None = Field(default=None, max_length=1000)
    metadata: dict[str, Any] | None = None
    ip_allowlist: list[str] | None = None
    status: Literal["active", "revoked"] | None = None


class ApiKeyRotate(Body):
    """How long the old text stays good beside the new one."""

    model_config = example({"overlap_seconds": 600})

    overlap_seconds: int = Field(default=0, ge=0, le=86400)


class PresetSave(Body):
    """Scopes under a name."""

    model_config = example({"name": "ci", "scopes": ["sandboxes:read", "sandboxes:write"]})

    name: str
    scopes: list[str]
    description: str | None = Field(default=None, max_length=1000)


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


@router.get("/api-keys", **operation("api_keys.list", Page[ApiKey], scope="keys:read", sdk="client.api_keys.list"))
async def listed(asked: Asked, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 1000) -> Response:
    """Living keys, oldest first, without the keys."""
    found, following = await asked.services.identity.list_keys(asked.principal, cursor=cursor, limit=limit, **asked.who)
    return data([key.view() for key in found], next_cursor=following)


@router.get("/api-keys/presets", **operation("api_keys.presets", Many[ScopePreset], scope="keys:read", sdk="client.api_keys.presets"))
async def presets(asked: Asked) -> Response:
    """Named sets of scopes, the built-in ones first."""
    return data([preset.view() for preset in await asked.services.presets.listed(asked.principal, **asked.who)])


@router.post(
    "/api-keys/presets",
    **operation("api_keys.save_preset", One[ScopePreset], scope="keys:write", sdk="client.api_keys.save_preset", status=201),
)
async def save_preset(asked: Asked, given: Annotated[PresetSave, body(PresetSave)]) -> Response:
    """Make one, or replace it."""
    saved = await asked.services.presets.save(asked.principal, given.name, tuple(given.scopes), given.description, **asked.who)
    return data(saved.view(), status=201)


@router.delete(
    "/api-keys/presets/{name}",
    **operation("api_keys.delete_preset", scope="keys:write", sdk="client.api_keys.delete_preset", status=204),
)
async def delete_preset(asked: Asked, name: str) -> Response:
    """Delete one; keys keep the scopes that they have."""
    await asked.services.presets.delete(asked.principal, name, **asked.who)
    return nothing()


@router.get("/api-keys/{api_key}", **operation("api_keys.get", One[ApiKey], scope="keys:read", sdk="client.api_keys.get"))
async def get(asked: Asked, api_key: str) -> Response:
    """One key."""
    return data((await asked.services.identity.get_key(asked.principal, api_key, **asked.who)).view())


@router.patch("/api-keys/{api_key}", **operation("api_keys.update", One[ApiKey], scope="keys:write", sdk="client.api_keys.update"))
async def update(asked: Asked, api_key: str, given: Annotated[ApiKeyUpdate, body(ApiKeyUpdate)]) -> Response:
    """Change its name, scopes, end, description, metadata or addresses; keys that it made end when it does."""
    if given.status == "revoked":
        raise Invalid("a key is revoked by DELETE, which also says what becomes of the keys that it made", details={"field": "status"})
    change = KeyChange(
        name=given.name,
        scopes=_scopes(given.scopes),
        description=given.description,
        metadata=given.metadata,
        ip_allowlist=None if given.ip_allowlist is None else tuple(given.ip_allowlist),
        expires_at=given.expires_at,
    )
    return data((await asked.services.identity.update_key(asked.principal, api_key, change, **asked.who)).view())


@router.post(
    "/api-keys/{api_key}/rotate",
    **operation("api_keys.rotate", One[NewApiKey], scope="keys:write", sdk="client.api_keys.rotate"),
)
async def rotate(asked: Asked, api_key: str, given: Annotated[ApiKeyRotate, body(ApiKeyRotate)]) -> Response:
    """A new text for the same key; the old one ends now, or after the overlap."""
    made = await asked.services.identity.rotate_key(asked.principal, api_key, overlap_seconds=given.overlap_seconds, **asked.who)
    return _shown_once(made)


@router.get("/api-keys/{api_key}/events", **operation("api_keys.events", Many[AdminEntry], scope="keys:read", sdk="client.api_keys.events"))
async def events(
    asked: Asked,
    api_key: str,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    kind: Annotated[str | None, Query(alias="type", description="An act such as `identity:key:rotate`; `*` stands for any part.")] = None,
) -> Response:
    """What the key did and what was done to it, newest first."""
    found = await asked.services.identity.key_events(asked.principal, api_key, kind=kind, limit=limit, **asked.who)
    return data([entry.view() for entry in found])


@router.delete("/api-keys/{api_key}", **operation("api_keys.delete", scope="keys:write", sdk="client.api_keys.delete", status=204))
async def delete(asked: Asked, api_key: str, keep_children: bool = False) -> Response:
    """Revoke at once, with the keys that it made unless they are to be kept."""
    await asked.services.identity.delete_key(asked.principal, api_key, keep_children=keep_children, **asked.who)
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
    kind: Annotated[str | None, Query(alias="type", description="An act such as `vault:secret:set`; `*` stands for any part.")] = None,
    actor_id: str | None = None,
    resource: str | None = None,
    resource_type: str | None = None,
    resource_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    cursor: str | None = None,
    after: str | None = None,
    page: Annotated[int | None, Query(ge=1, le=100_000, description="The page, counted from one; instead of a cursor.")] = None,
    per_page: Annotated[int | None, Query(ge=1, le=500, description="The same as `limit`.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Administrative acts, newest first."""
    wanted = AdminFilter(
        action=action,
        kind=kind,
        actor_id=actor_id,
        resource_type=resource_type or resource,
        resource_id=resource_id,
        since=moment(since, "since"),
        until=moment(until, "until"),
        cursor=cursor or after,
        page=page,
        limit=per_page or limit,
    )
    entries, following = await asked.services.identity.admin_log(asked.principal, wanted, **asked.who)
    total = await asked.services.identity.log_total(asked.principal, wanted)
    shown = [entry.view() for entry in entries]
    return JSON({"data": shown, "meta": {"total": total, "page": page, "per_page": wanted.limit}, "next_cursor": following})


async def _create(asked: Asked, name: str, given: ApiKeyCreate | ApiKeyScoped) -> Response:
    details = KeyDetails(expires_at=given.expires_at)
    if isinstance(given, ApiKeyCreate):
        allowed = None if given.ip_allowlist is None else tuple(given.ip_allowlist)
        details = KeyDetails(given.description, given.metadata or {}, allowed, given.expires_at)
    made = await asked.services.identity.create_key(
        asked.principal, name, await _wanted(asked, given), details=details, external_user_id=given.external_user_id, **asked.who
    )
    return _shown_once(made, status=201)


async def _wanted(asked: Caller, given: ApiKeyCreate | ApiKeyScoped) -> tuple[str, ...] | None:
    preset = given.preset if isinstance(given, ApiKeyCreate) else None
    if preset is None:
        return _scopes(given.scopes)
    if given.scopes is not None:
        raise Invalid("give scopes or a preset, not both", details={"field": "preset"})
    known = {one.name: one.scopes for one in await asked.services.presets.listed(asked.principal, **asked.who)}
    if preset not in known:
        raise Invalid(f"no preset {preset!r}; there are {', '.join(sorted(known))}", code="UNKNOWN_PRESET", details={"field": "preset"})
    return tuple(known[preset])


def _shown_once(made: NewKey, *, status: int = 200) -> Response:
    return data({**made.key.view(), "token": made.token, "key": made.token}, status=status)


def _scopes(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)
