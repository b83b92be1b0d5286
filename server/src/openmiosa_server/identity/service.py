"""Identity: keys, who holds them, and whether they may."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..db.ids import new_id
from ..db.tables import api_keys, tenants
from ..errors import InsufficientScope, Invalid, NotFound, Unauthenticated
from . import admin_log, tokens
from .types import SCOPES, AdminEntry, AdminFilter, ApiKey, NewKey, Principal, RequestInfo

_LAST_USED_EVERY = 60.0  # seconds; noting each use would make every read a write

_STILL_VALID_EVERY = 10.0  # seconds between two looks at a key that something long runs under

log = structlog.get_logger(__name__)


class Identity:
    """Keys and permissions. `authorize` is the first call of everything a service does for somebody."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, float] = {}
        self._revoked = asyncio.Event()  # set and replaced at each revocation

    async def bootstrap(self, deliver: Callable[[str], None] = lambda token: None) -> str | None:
        """Make the first tenant and its admin key, and return the key; None when there are keys already.

        `deliver` gets the key before the commit, so that a key whose hand-over fails is not made.
        """
        token = tokens.mint()
        async with self._database.begin() as tx:
            if (await tx.execute(select(func.count()).select_from(api_keys))).scalar_one():
                return None
            tenant_id = new_id("ten")
            await tx.execute(insert(tenants).values(id=tenant_id, name="default", created_at=now()))
            row = _key_row(tenant_id, "admin", SCOPES, token)
            await tx.execute(insert(api_keys).values(**row))
            await admin_log.write(
                tx,
                tenant_id=tenant_id,
                actor_id=None,
                actor_type="system",
                action="identity:key:create",
                outcome="allowed",
                resource_type="api_key",
                resource_id=row["id"],
                metadata={"name": "admin", "first": True},
            )
            deliver(token)
        return token

    async def authenticate(self, token: str, *, request: RequestInfo | None = None) -> Principal:
        """The holder of a key; one message for every reason, so that an answer tells nothing about a guess."""
        if not tokens.well_formed(token):
            raise _unknown_key()
        async with self._database.read() as tx:
            query = select(api_keys).where(api_keys.c.hash == tokens.digest(token))
            row = (await tx.execute(query)).mappings().one_or_none()
        if row is None:
            log.warning("unknown_api_key", prefix=token[: tokens.SHOWN], request_id=request.request_id if request else None)
            raise _unknown_key()
        if row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now()):
            await self._record_dead_key(row, request)
            raise _unknown_key()
        await self._note_use(row["id"])
        return Principal(row["tenant_id"], row["id"], row["name"], frozenset(row["scopes"]), row["external_user_id"])

    async def authorize(
        self,
        principal: Principal,
        scope: str,
        action: str,
        *,
        resource_type: str | None = None,
        resource_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        request: RequestInfo | None = None,
        record: bool = True,
    ) -> None:
        """Decide and record; when the record cannot be written, nothing happens.

        `record=False` leaves out what is allowed (for polls), never what is refused.
        """
        allowed = scope in principal.scopes
        if record or not allowed:
            async with self._database.begin() as tx:
                await admin_log.write(
                    tx,
                    tenant_id=principal.tenant_id,
                    actor_id=principal.key_id,
                    actor_type="api_key",
                    action=action,
                    outcome="allowed" if allowed else "refused",
                    resource_type=resource_type,
                    resource_id=resource_id,
                    metadata=metadata if allowed else {**(metadata or {}), "missing_scope": scope},
                    request=request,
                )
        if not allowed:
            raise InsufficientScope(
                f"the key {principal.name!r} lacks the scope {scope}; use a key that has it", details={"required": scope}
            )

    async def create_key(
        self,
        principal: Principal,
        name: str,
        scopes: tuple[str, ...] | None = None,
        *,
        expires_at: datetime | None = None,
        external_user_id: str | None = None,
        request: RequestInfo | None = None,
    ) -> NewKey:
        """Make a key with at most the maker's scopes; its text is in the answer and nowhere else."""
        about = {"name": name[:255], "scopes": list(scopes or ()), "external_user_id": external_user_id}
        await self.authorize(principal, "keys:write", "identity:key:create", resource_type="api_key", metadata=about, request=request)
        granted = _granted(principal, scopes)
        if not 1 <= len(name) <= 255:
            raise Invalid("the name of a key has 1 to 255 characters", code="BAD_NAME")
        if expires_at is not None and expires_at <= now():
            raise Invalid("expires_at lies in the past", code="BAD_EXPIRY")
        if principal.external_user_id is not None and external_user_id != principal.external_user_id:
            raise InsufficientScope("a key of one external user makes keys for that user only")
        token = tokens.mint()
        row = _key_row(principal.tenant_id, name, granted, token, expires_at=expires_at, external_user_id=external_user_id)
        async with self._database.begin() as tx:
            await tx.execute(insert(api_keys).values(**row))
        return NewKey(_key(row), token)

    async def list_keys(self, principal: Principal, *, request: RequestInfo | None = None) -> list[ApiKey]:
        """The tenant's live keys, oldest first."""
        await self.authorize(principal, "keys:read", "identity:key:list", resource_type="api_key", request=request)
        async with self._database.read() as tx:
            query = select(api_keys).where(*_visible(principal)).order_by(api_keys.c.created_at, api_keys.c.id)
            return [_key(row) for row in (await tx.execute(query)).mappings()]

    async def get_key(self, principal: Principal, key_id: str, *, request: RequestInfo | None = None) -> ApiKey:
        """One key by id or name."""
        await self.authorize(principal, "keys:read", "identity:key:get", resource_type="api_key", resource_id=key_id, request=request)
        return await self._find(principal, key_id)

    async def delete_key(self, principal: Principal, key_id: str, *, request: RequestInfo | None = None) -> None:
        """Revoke a key at once; the row stays, so that the log can still say whose it was."""
        await self.authorize(principal, "keys:write", "identity:key:delete", resource_type="api_key", resource_id=key_id, request=request)
        key = await self._find(principal, key_id)
        async with self._database.begin() as tx:
            await tx.execute(update(api_keys).where(api_keys.c.id == key.id).values(revoked_at=now()))
        self._revoked.set()
        self._revoked = asyncio.Event()

    async def until_invalid(self, principal: Principal, look_every: float = _STILL_VALID_EVERY) -> None:
        """Returns when the key was revoked (at once, where this process did it) or has expired: what runs in its name ends then."""
        while True:
            revoked = self._revoked
            if not await self.still_valid(principal):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(revoked.wait(), look_every)

    async def still_valid(self, principal: Principal) -> bool:
        """Whether the key lives; long streams ask again and again."""
        async with self._database.read() as tx:
            query = select(api_keys.c.expires_at).where(api_keys.c.id == principal.key_id, api_keys.c.revoked_at.is_(None))
            row = (await tx.execute(query)).one_or_none()
        return row is not None and (row.expires_at is None or row.expires_at > now())

    async def admin_log(
        self, principal: Principal, wanted: AdminFilter, *, request: RequestInfo | None = None
    ) -> tuple[list[AdminEntry], str | None]:
        """The administrative log, newest first, and the next page's cursor."""
        await self.authorize(principal, "audit:read", "identity:log:list", resource_type="admin_log", request=request)
        async with self._database.read() as tx:
            return await admin_log.entries(tx, principal, wanted)

    async def _find(self, principal: Principal, key_id: str) -> ApiKey:
        async with self._database.read() as tx:
            named = (api_keys.c.id == key_id) | (api_keys.c.name == key_id)
            rows = (await tx.execute(select(api_keys).where(*_visible(principal), named))).mappings().all()
        exact = [row for row in rows if row["id"] == key_id] or rows
        if not exact:
            raise NotFound("no such API key")
        if len(exact) > 1:
            raise Invalid("several keys have this name; use the id", code="AMBIGUOUS_NAME", details={"ids": [row["id"] for row in exact]})
        return _key(exact[0])

    async def _note_use(self, key_id: str) -> None:
        moment = time.monotonic()
        if moment - self._noted.get(key_id, -_LAST_USED_EVERY) < _LAST_USED_EVERY:
            return
        self._noted[key_id] = moment
        async with self._database.begin() as tx:
            await tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now()))

    async def _record_dead_key(self, row: RowMapping, request: RequestInfo | None) -> None:
        async with self._database.begin() as tx:
            await admin_log.write(
                tx,
                tenant_id=row["tenant_id"],
                actor_id=row["id"],
                actor_type="api_key",
                action="identity:key:authenticate",
                outcome="refused",
                resource_type="api_key",
                resource_id=row["id"],
                metadata={"reason": "revoked" if row["revoked_at"] is not None else "expired"},
                request=request,
            )


def _unknown_key() -> Unauthenticated:
    return Unauthenticated("the API key is missing, unknown, expired or revoked; make one with `openmiosa keys create`")


def _granted(principal: Principal, scopes: tuple[str, ...] | None) -> tuple[str, ...]:
    wanted = tuple(sorted(principal.scopes)) if scopes is None else tuple(dict.fromkeys(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise Invalid(f"no such scope: {', '.join(unknown[:5])}", code="UNKNOWN_SCOPE", details={"known": list(SCOPES)})
    if beyond := [scope for scope in wanted if scope not in principal.scopes]:
        raise InsufficientScope("a key gives no scope that it lacks itself", details={"missing": beyond})
    return wanted


def _visible(principal: Principal) -> list[Any]:
    conditions = [api_keys.c.tenant_id == principal.tenant_id, api_keys.c.revoked_at.is_(None)]
    if principal.external_user_id is not None:
        conditions.append(api_keys.c.external_user_id == principal.external_user_id)
    return conditions


def _key_row(
    tenant_id: str,
    name: str,
    scopes: tuple[str, ...],
    token: str,
    *,
    expires_at: datetime | None = None,
    external_user_id: str | None = None,
) -> dict[str, Any]:
    return {
        "id": new_id("key"),
        "tenant_id": tenant_id,
        "name": name,
        "prefix": token[: tokens.SHOWN],
        "hash": tokens.digest(token),
        "scopes": list(scopes),
        "external_user_id": external_user_id,
        "expires_at": expires_at,
        "revoked_at": None,
        "last_used_at": None,
        "created_at": now(),
    }


def _key(row: RowMapping | dict[str, Any]) -> ApiKey:
    return ApiKey(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(row["scopes"]),
        external_user_id=row["external_user_id"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        created_at=row["created_at"],
    )
