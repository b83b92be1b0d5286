"""Rows of API keys: who sees which, what a new one holds, which others end with one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.ids import new_id
from ..db.tables import api_keys
from ..errors import InsufficientScope, Invalid, NotFound
from . import tokens
from .types import SCOPES, ApiKey, KeyDetails, Principal


def granted(principal: Principal, scopes: tuple[str, ...] | None) -> tuple[str, ...]:
    """What a new key may have: at most what its maker has, and all of that when nothing is said."""
    wanted = tuple(sorted(principal.scopes)) if scopes is None else known(scopes)
    if beyond := [scope for scope in wanted if scope not in principal.scopes]:
        raise InsufficientScope(
            "a key gives no scope that it lacks itself; leave out those in details.missing, or ask with a key that has them",
            details={"missing": beyond},
        )
    return wanted


def require_no_stronger(principal: Principal, key: RowMapping) -> None:
    """Whose text one gets, or whose limits one moves, may do nothing that one may not do oneself."""
    if beyond := [scope for scope in key["scopes"] if scope not in principal.scopes]:
        raise InsufficientScope(
            "this key may do more than the one you ask with, so that one cannot rotate or change it; "
            "ask with a key that has the scopes in details.missing too",
            details={"missing": beyond},
        )


async def require_within(tx: AsyncConnection, principal: Principal, key: RowMapping, expires_at: datetime) -> None:
    """A new end lies not beyond that of the key that asks, nor of the key that made this one."""
    bounds = select(api_keys.c.expires_at).where(api_keys.c.id.in_([principal.key_id, key["parent_id"] or ""]))
    if any(end is not None and expires_at > end for end in (await tx.execute(bounds)).scalars()):
        raise Invalid(
            "expires_at lies after the end of the key that you ask with, or of the key that made this one; "
            "give an earlier time, or let that key live longer first",
            code="BAD_EXPIRY",
            details={"field": "expires_at"},
        )


async def living(tx: AsyncConnection, key_id: str) -> RowMapping | None:
    """A key that is neither revoked nor over. It cannot be revoked by another transaction before the end of this one."""
    query = select(api_keys).where(api_keys.c.id == key_id).with_for_update()
    row = (await tx.execute(query)).mappings().one_or_none()
    ended = row is None or row["revoked_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now())
    return None if ended else row


def known(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes that exist, each once."""
    wanted = tuple(dict.fromkeys(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise Invalid(f"no such scope: {', '.join(unknown[:5])}", code="UNKNOWN_SCOPE", details={"known": list(SCOPES)})
    return wanted


def visible(principal: Principal) -> list[Any]:
    """The conditions under which a caller sees a key that lives."""
    return [*_own(principal), api_keys.c.revoked_at.is_(None)]


def _own(principal: Principal) -> list[Any]:
    conditions = [api_keys.c.tenant_id == principal.tenant_id]
    if principal.external_user_id is not None:
        conditions.append(api_keys.c.external_user_id == principal.external_user_id)
    return conditions


async def page(tx: AsyncConnection, principal: Principal, cursor: str | None, limit: int) -> tuple[list[ApiKey], str | None]:
    """Living keys, oldest first, and the cursor of those that follow; None with the last."""
    query = select(api_keys).where(*visible(principal), api_keys.c.kind == "key").order_by(api_keys.c.created_at, api_keys.c.id)
    if cursor is not None:
        # A key that was revoked since its page was read still says where the next one begins.
        last = (await tx.execute(select(api_keys).where(*_own(principal), api_keys.c.id == cursor))).mappings().one_or_none()
        if last is None:
            raise NotFound(
                "no API key has the id that was given as cursor; give the next_cursor of the page before, or none for the first page"
            )
        later = and_(api_keys.c.created_at == last["created_at"], api_keys.c.id > last["id"])
        query = query.where(or_(api_keys.c.created_at > last["created_at"], later))
    rows = (await tx.execute(query.limit(limit + 1))).mappings().all()
    found = [record(row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


async def find(tx: AsyncConnection, principal: Principal, key_id: str) -> RowMapping:
    """A living key by id, else by name."""
    named = (api_keys.c.id == key_id) | (api_keys.c.name == key_id)
    rows = (await tx.execute(select(api_keys).where(*visible(principal), named))).mappings().all()
    exact = [row for row in rows if row["id"] == key_id] or rows
    if not exact:
        raise NotFound("no API key has this id or name; `openmiosa keys list` shows those there are")
    if len(exact) > 1:
        raise Invalid("several keys have this name; use the id", code="AMBIGUOUS_NAME", details={"ids": [row["id"] for row in exact]})
    return exact[0]


async def presented(tx: AsyncConnection, token: str) -> RowMapping | None:
    """The key that a text is, or was until its rotation and still may be for a while."""
    digest = tokens.digest(token)
    before = (api_keys.c.previous_hash == digest) & (api_keys.c.previous_until > now())
    return (await tx.execute(select(api_keys).where(or_(api_keys.c.hash == digest, before)))).mappings().one_or_none()


async def family(tx: AsyncConnection, key_id: str) -> list[str]:
    """A key, the keys that it made, those that they made, and so on."""
    found, newest = [key_id], [key_id]
    while newest:
        children = select(api_keys.c.id).where(api_keys.c.parent_id.in_(newest), api_keys.c.id.not_in(found))
        newest = list((await tx.execute(children)).scalars())
        found += newest
    return found


async def revoke(tx: AsyncConnection, key_ids: Iterable[str], *, with_children: bool) -> None:
    """End keys. Again and again, since one may be made while its maker is not revoked yet; after that none is."""
    ending, moment = list(key_ids), now()
    while ending:
        await tx.execute(update(api_keys).where(api_keys.c.id.in_(ending)).values(revoked_at=moment))
        children = select(api_keys.c.id).where(api_keys.c.parent_id.in_(ending), api_keys.c.revoked_at.is_(None))
        ending = list((await tx.execute(children)).scalars()) if with_children else []


async def another_admin(tx: AsyncConnection, tenant_id: str, but: Iterable[str]) -> bool:
    """Whether a key for everything remains that can make keys, beside these."""
    alive = [api_keys.c.tenant_id == tenant_id, api_keys.c.revoked_at.is_(None), api_keys.c.external_user_id.is_(None)]
    for_good = [api_keys.c.kind == "key", api_keys.c.expires_at.is_(None), api_keys.c.id.not_in(list(but))]
    scopes = (await tx.execute(select(api_keys.c.scopes).where(*alive, *for_good))).scalars()
    return any("keys:write" in held for held in scopes)


async def shorten(tx: AsyncConnection, key_ids: Iterable[str], expires_at: datetime) -> None:
    """Let keys end with the one that made them, at the latest."""
    later = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > expires_at)
    await tx.execute(update(api_keys).where(api_keys.c.id.in_(list(key_ids)), later).values(expires_at=expires_at))


def row(
    tenant_id: str,
    name: str,
    scopes: tuple[str, ...],
    token: str,
    *,
    parent_id: str | None = None,
    kind: str = "key",
    external_user_id: str | None = None,
    details: KeyDetails | None = None,
) -> dict[str, Any]:
    """A new key's row."""
    details = details or KeyDetails()
    return {
        "id": new_id("key"),
        "tenant_id": tenant_id,
        "name": name,
        "prefix": token[: tokens.SHOWN],
        "hash": tokens.digest(token),
        "previous_hash": None,
        "previous_until": None,
        "kind": kind,
        "parent_id": parent_id,
        "scopes": list(scopes),
        "external_user_id": external_user_id,
        "description": details.description,
        "metadata": details.metadata or None,
        "ip_allowlist": None if details.ip_allowlist is None else list(details.ip_allowlist),
        "expires_at": details.expires_at,
        "revoked_at": None,
        "rotated_at": None,
        "last_used_at": None,
        "created_at": now(),
    }


def record(row: RowMapping | dict[str, Any]) -> ApiKey:
    """A row as a record."""
    return ApiKey(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        kind=row["kind"],
        prefix=row["prefix"],
        parent_id=row["parent_id"],
        scopes=tuple(row["scopes"]),
        external_user_id=row["external_user_id"],
        description=row["description"],
        metadata=dict(row["metadata"] or {}),
        ip_allowlist=None if row["ip_allowlist"] is None else tuple(row["ip_allowlist"]),
        expires_at=row["expires_at"],
        rotated_at=row["rotated_at"],
        last_used_at=row["last_used_at"],
        created_at=row["created_at"],
    )
