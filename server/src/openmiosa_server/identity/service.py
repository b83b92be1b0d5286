"""Identity: keys, who holds them, and whether they may."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import RowMapping

from ..db.clock import now
from ..db.engine import Database
from ..db.ids import new_id
from ..db.tables import api_keys, tenants
from ..errors import Conflict, Forbidden, InsufficientScope, Invalid, Unauthenticated
from . import addresses, admin_log, rows, tickets, tokens
from .types import SCOPES, AdminEntry, AdminFilter, ApiKey, KeyChange, KeyDetails, NewKey, Principal, RequestInfo

_LAST_USED_EVERY = 60.0  # seconds; noting each use would make every read a write

_STILL_VALID_EVERY = 10.0  # seconds between two looks at a key that something long runs under

_LONGEST_TOKEN = 86400  # seconds, as the published clients state it
_LONGEST_OVERLAP = 86400

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
            row = rows.row(tenant_id, "admin", SCOPES, token)
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
            row = await rows.presented(tx, token)
        if row is None:
            log.warning("unknown_api_key", prefix=token[: tokens.SHOWN], request_id=request.request_id if request else None)
            raise _unknown_key()
        return await self._admitted(row, tokens.digest(token), request)

    async def authenticate_ticket(self, ticket: str, *, request: RequestInfo | None = None) -> Principal:
        """The maker of a stream ticket, which is used up by this."""
        async with self._database.begin() as tx:
            redeemed = await tickets.redeem(tx, ticket)
        if redeemed is not None:
            row, credential = redeemed
            holder = await self._admitted(row, credential, request)
            if await self.still_valid(holder):
                return holder
        raise Unauthenticated("the ticket is unknown, used already or older than a minute; get another one with POST /sse/ticket")

    async def issue_ticket(self, principal: Principal) -> str:
        """A ticket for one stream, for a minute, in the name of who asks."""
        async with self._database.begin() as tx:
            return await tickets.issue(tx, principal)

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
        details: KeyDetails | None = None,
        request: RequestInfo | None = None,
    ) -> NewKey:
        """Make a key with at most the maker's scopes and life; its text is in the answer and nowhere else."""
        about = {"name": name[:255], "scopes": list(scopes or ()), "external_user_id": external_user_id}
        await self.authorize(principal, "keys:write", "identity:key:create", resource_type="api_key", metadata=about, request=request)
        details = details or KeyDetails(expires_at=expires_at)
        if principal.external_user_id is not None and external_user_id != principal.external_user_id:
            raise InsufficientScope(
                "a key of one external user makes keys for that user only; set external_user_id to that user, or ask with another key"
            )
        return await self._make(principal, name, scopes, details, external_user_id=external_user_id)

    async def delegate(
        self,
        principal: Principal,
        user_id: str,
        workspace_id: str | None,
        *,
        scopes: tuple[str, ...] | None = None,
        expires_in_seconds: int = 3600,
        request: RequestInfo | None = None,
    ) -> NewKey:
        """A token for one end user: short-lived, with at most the caller's scopes, gone with the caller's key."""
        about = {"user_id": user_id[:255], "workspace_id": workspace_id, "scopes": list(scopes or ())}
        await self.authorize(principal, "keys:write", "identity:token:create", resource_type="api_key", metadata=about, request=request)
        if principal.external_user_id not in (None, user_id):
            raise InsufficientScope(
                "a key of one external user makes tokens for that user only; set user_id to that user, or ask with another key"
            )
        if not 1 <= expires_in_seconds <= _LONGEST_TOKEN:
            raise Invalid(f"expires_in_seconds is between 1 and {_LONGEST_TOKEN}", details={"field": "expires_in_seconds"})
        noted = {} if workspace_id is None else {"workspace_id": workspace_id}
        details = KeyDetails(metadata=noted, expires_at=now() + timedelta(seconds=expires_in_seconds))
        return await self._make(principal, f"token for {user_id}"[:255], scopes, details, external_user_id=user_id, kind="token")

    async def list_keys(
        self, principal: Principal, *, cursor: str | None = None, limit: int = 1000, request: RequestInfo | None = None
    ) -> tuple[list[ApiKey], str | None]:
        """The tenant's live keys, oldest first, and the next page's cursor; tokens end by themselves and are not among them."""
        await self.authorize(principal, "keys:read", "identity:key:list", resource_type="api_key", request=request)
        async with self._database.read() as tx:
            return await rows.page(tx, principal, cursor, limit)

    async def get_key(self, principal: Principal, key_id: str, *, request: RequestInfo | None = None) -> ApiKey:
        """One key by id or name."""
        await self.authorize(principal, "keys:read", "identity:key:get", resource_type="api_key", resource_id=key_id, request=request)
        async with self._database.read() as tx:
            return rows.record(await rows.find(tx, principal, key_id))

    async def update_key(self, principal: Principal, key_id: str, change: KeyChange, *, request: RequestInfo | None = None) -> ApiKey:
        """Change a key; the keys that it made live no longer than it does."""
        await self._authorize_key(principal, "update", key_id, request)
        values: dict[str, Any] = {name: value for name in KeyChange.__slots__ if (value := getattr(change, name)) is not None}
        if change.name is not None:
            _check_name(change.name)
        if change.scopes is not None:
            values["scopes"] = list(rows.granted(principal, change.scopes))
        if change.ip_allowlist is not None:
            values["ip_allowlist"] = list(addresses.networks(change.ip_allowlist)) or None
        _check_expiry(change.expires_at)
        async with self._database.begin() as tx:
            row = await rows.find(tx, principal, key_id)
            rows.require_no_stronger(principal, row)
            if change.expires_at is not None:
                await rows.require_within(tx, principal, row, change.expires_at)
            if values:
                await tx.execute(update(api_keys).where(api_keys.c.id == row["id"]).values(**values))
            if change.expires_at is not None:
                await rows.shorten(tx, (await rows.family(tx, row["id"]))[1:], change.expires_at)
            found = rows.record(await rows.find(tx, principal, row["id"]))
        self._wake()
        return found

    async def rotate_key(
        self, principal: Principal, key_id: str, *, overlap_seconds: int = 0, request: RequestInfo | None = None
    ) -> NewKey:
        """A new text for a key: same id, scopes and children. The old one ends now, or when the overlap is over."""
        await self._authorize_key(principal, "rotate", key_id, request)
        if not 0 <= overlap_seconds <= _LONGEST_OVERLAP:
            raise Invalid(f"overlap_seconds is between 0 and {_LONGEST_OVERLAP}", details={"field": "overlap_seconds"})
        token, moment = tokens.mint(), now()
        async with self._database.begin() as tx:
            row = await rows.find(tx, principal, key_id)
            rows.require_no_stronger(principal, row)
            kept = row["hash"] if overlap_seconds else None
            until = moment + timedelta(seconds=overlap_seconds) if overlap_seconds else None
            values = {"prefix": token[: tokens.SHOWN], "hash": tokens.digest(token), "previous_hash": kept, "previous_until": until}
            await tx.execute(update(api_keys).where(api_keys.c.id == row["id"]).values(**values, rotated_at=moment))
            found = rows.record(await rows.find(tx, principal, row["id"]))
        self._wake()
        return NewKey(found, token)

    async def delete_key(
        self, principal: Principal, key_id: str, *, keep_children: bool = False, request: RequestInfo | None = None
    ) -> None:
        """Revoke a key at once, and the keys that it made, since whoever stole it may have made one for later.

        The rows stay, so that the log can still say whose they were.
        """
        await self._authorize_key(principal, "delete", key_id, request)
        async with self._database.begin() as tx:
            key = await rows.find(tx, principal, key_id)
            ending = [key["id"]] if keep_children else await rows.family(tx, key["id"])
            if principal.key_id in ending and not await rows.another_admin(tx, principal.tenant_id, ending):
                raise Conflict(
                    "this would end the key you ask with and leave no lasting key that makes keys; rotate it instead, "
                    "or pass keep_children=true when another key was made with it",
                    code="LAST_ADMIN_KEY",
                )
            await rows.revoke(tx, ending, with_children=not keep_children)
            if keep_children:
                await tx.execute(update(api_keys).where(api_keys.c.parent_id == key["id"]).values(parent_id=key["parent_id"]))
        self._wake()

    async def key_events(
        self, principal: Principal, key_id: str, *, kind: str | None = None, limit: int = 50, request: RequestInfo | None = None
    ) -> list[AdminEntry]:
        """What a key did, and what was done to it, newest first."""
        await self._authorize_key(principal, "events", key_id, request, scope="keys:read")
        async with self._database.read() as tx:
            key = await rows.find(tx, principal, key_id)
            found, _ = await admin_log.entries(tx, principal, AdminFilter(about=key["id"], kind=kind, limit=limit))
        return found

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
            query = select(api_keys).where(api_keys.c.id == principal.key_id, api_keys.c.revoked_at.is_(None))
            row = (await tx.execute(query)).one_or_none()
        if row is None or (row.expires_at is not None and row.expires_at <= now()):
            return False
        if principal.credential in (None, row.hash):
            return True
        return principal.credential == row.previous_hash and row.previous_until is not None and row.previous_until > now()

    async def admin_log(
        self, principal: Principal, wanted: AdminFilter, *, request: RequestInfo | None = None
    ) -> tuple[list[AdminEntry], str | None]:
        """The administrative log, newest first, and the next page's cursor."""
        await self.authorize(principal, "audit:read", "identity:log:list", resource_type="admin_log", request=request)
        async with self._database.read() as tx:
            return await admin_log.entries(tx, principal, wanted)

    async def log_total(self, principal: Principal, wanted: AdminFilter) -> int:
        """How many entries the filter lets through; asked beside `admin_log`, which authorises and records."""
        await self.authorize(principal, "audit:read", "identity:log:list", record=False)
        async with self._database.read() as tx:
            return await admin_log.count(tx, principal, wanted)

    async def _make(
        self,
        principal: Principal,
        name: str,
        scopes: tuple[str, ...] | None,
        details: KeyDetails,
        *,
        external_user_id: str | None,
        kind: str = "key",
    ) -> NewKey:
        given = rows.granted(principal, scopes)
        _check_name(name)
        _check_expiry(details.expires_at)
        if details.ip_allowlist is not None:
            details = replace(details, ip_allowlist=addresses.networks(details.ip_allowlist) or None)
        token = tokens.mint()
        async with self._database.begin() as tx:
            maker = await rows.living(tx, principal.key_id)
            if maker is None:
                raise _unknown_key()
            ends = maker["expires_at"]
            if ends is not None and (details.expires_at is None or details.expires_at > ends):
                details = replace(details, expires_at=ends)
            made = rows.row(
                principal.tenant_id,
                name,
                given,
                token,
                parent_id=principal.key_id,
                kind=kind,
                external_user_id=external_user_id,
                details=details,
            )
            await tx.execute(insert(api_keys).values(**made))
        return NewKey(rows.record(made), token)

    async def _admitted(self, row: RowMapping, credential: str, request: RequestInfo | None) -> Principal:
        if row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now()):
            await self._record_refused(row, "revoked" if row["revoked_at"] is not None else "expired", request)
            raise _unknown_key()
        if row["ip_allowlist"] is not None and not addresses.among(row["ip_allowlist"], request.ip_address if request else None):
            await self._record_refused(row, "address", request)
            raise Forbidden("this key may not be used from this address; its ip_allowlist says from where", code="IP_NOT_ALLOWED")
        await self._note_use(row["id"])
        return Principal(row["tenant_id"], row["id"], row["name"], frozenset(row["scopes"]), row["external_user_id"], credential)

    async def _authorize_key(
        self, principal: Principal, verb: str, key_id: str, request: RequestInfo | None, *, scope: str = "keys:write"
    ) -> None:
        action = f"identity:key:{verb}"
        await self.authorize(principal, scope, action, resource_type="api_key", resource_id=key_id, request=request)

    def _wake(self) -> None:
        """Let what runs under any key look at its key again."""
        self._revoked.set()
        self._revoked = asyncio.Event()

    async def _note_use(self, key_id: str) -> None:
        moment = time.monotonic()
        if moment - self._noted.get(key_id, -_LAST_USED_EVERY) < _LAST_USED_EVERY:
            return
        self._noted[key_id] = moment
        async with self._database.begin() as tx:
            await tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now()))

    async def _record_refused(self, row: RowMapping, reason: str, request: RequestInfo | None) -> None:
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
                metadata={"reason": reason},
                request=request,
            )


def _unknown_key() -> Unauthenticated:
    return Unauthenticated("the API key is missing, unknown, expired or revoked; make one with `openmiosa keys create`")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 255:
        raise Invalid("the name of a key has 1 to 255 characters", code="BAD_NAME")


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= now():
        raise Invalid("expires_at lies in the past", code="BAD_EXPIRY")
