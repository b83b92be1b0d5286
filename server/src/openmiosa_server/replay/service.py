"""Answers remembered by tenant and key. May import db alone.

A row without a status is a request that runs. An answer that holds a secret is remembered without its body: it is
shown once, so its repeat is refused instead of shown again or done twice. The others are encrypted by the API key that
asked, of which the database has a hash: they hold states of OAuth and the output of commands.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..db.clock import now
from ..db.engine import Database
from ..db.tables import idempotency as table
from ..errors import Conflict, Invalid, Unavailable

_KEPT = timedelta(hours=24)
_ABANDONED = timedelta(minutes=15)  # a request that ran this long without an end died with its server
_PATIENCE = 20.0  # seconds that a repeat waits for the first; below the shortest client limit (30 s to the headers)
_STEP = 0.1
_LONGEST_KEY = 255
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Begun:
    """Either a remembered answer, or (without a status) leave to go ahead."""

    status: int | None = None
    body: bytes | None = None


class Replay:
    """`begin`, then `finish` or `forget`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self) -> None:
        """At start nothing can be running: what is unfinished died with the server before. Only true of a lone server."""
        if self._database.is_sqlite:
            async with self._database.begin() as tx:
                await tx.execute(delete(table).where(table.c.status.is_(None)))

    async def begin(self, tenant_id: str, key: str, fingerprint: str, asker: str) -> Begun:
        """Claim the key, or wait for who has it, and answer what came of it."""
        if not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable():
            raise Invalid(f"an Idempotency-Key has 1 to {_LONGEST_KEY} printable characters", code="BAD_IDEMPOTENCY_KEY")
        deadline = time.monotonic() + _PATIENCE
        while True:
            if await self._claim(tenant_id, key, fingerprint):
                return Begun()
            async with self._database.read() as tx:
                row = (await tx.execute(select(table).where(table.c.tenant_id == tenant_id, table.c.key == key))).one_or_none()
            if row is None:
                continue
            if not hmac.compare_digest(row.request_hash, fingerprint):
                raise Invalid(
                    "this Idempotency-Key was used with a different request or by another API key; a key belongs to one request",
                    code="IDEMPOTENCY_KEY_REUSED",
                )
            if row.status is not None:
                if row.body is None:
                    raise Conflict(
                        "this was done already and its answer is shown only once; delete what it made and ask anew with a fresh key",
                        code="ANSWER_SHOWN_ONCE",
                    )
                return Begun(row.status, _opened(asker, fingerprint, row.body))
            if time.monotonic() > deadline:
                raise Unavailable("the first request with this Idempotency-Key still runs", code="IDEMPOTENCY_IN_PROGRESS", retry_after=1)
            await asyncio.sleep(_STEP)

    async def finish(self, tenant_id: str, key: str, status: int, body: bytes | None, asker: str) -> None:
        """Remember the answer; without a body when it holds what is shown once."""
        async with self._database.begin() as tx:
            mine = (table.c.tenant_id == tenant_id, table.c.key == key)
            claimed = (await tx.execute(select(table.c.request_hash).where(*mine))).scalar_one_or_none()
            if claimed is not None:
                kept = None if body is None else _sealed(asker, claimed, body)
                await tx.execute(update(table).where(*mine).values(status=status, body=kept))

    async def forget(self, tenant_id: str, key: str) -> None:
        """The request failed in a way worth repeating: the next one may try."""
        async with self._database.begin() as tx:
            await tx.execute(delete(table).where(table.c.tenant_id == tenant_id, table.c.key == key, table.c.status.is_(None)))

    async def _claim(self, tenant_id: str, key: str, fingerprint: str) -> bool:
        moment = now()
        row = {"tenant_id": tenant_id, "key": key, "request_hash": fingerprint, "status": None, "body": None, "created_at": moment}
        try:
            async with self._database.begin() as tx:
                old = table.c.created_at < moment - _KEPT
                dead = table.c.status.is_(None) & (table.c.created_at < moment - _ABANDONED)
                await tx.execute(delete(table).where(table.c.tenant_id == tenant_id, old | dead))
                await tx.execute(insert(table).values(**row))
        except IntegrityError:
            return False
        return True


def fingerprint(api_key: str, method: str, target: str, body: bytes) -> str:
    """What tells two requests apart; keyed by the API key, so that the stored hash of a short secret tells nothing."""
    return hmac.new(api_key.encode(), b"\0".join((method.encode(), target.encode(), body)), hashlib.sha256).hexdigest()


def _sealed(asker: str, request_hash: str, body: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(asker).encrypt(nonce, body, request_hash.encode())


def _opened(asker: str, request_hash: str, kept: bytes) -> bytes:
    return _cipher(asker).decrypt(kept[:_NONCE], kept[_NONCE:], request_hash.encode())


def _cipher(asker: str) -> AESGCM:
    # An API key has 160 random bits, so that one keyed hash makes a key of it.
    return AESGCM(hmac.new(asker.encode(), b"openmiosa remembered answer v1", hashlib.sha256).digest())
