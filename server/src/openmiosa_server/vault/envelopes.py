"""Envelopes: how a value lies in the database.

    1 byte     format version, 1
    1 byte     n, length of the key id
    n bytes    id of the key-encryption key, UTF-8
    2 bytes    w, length of the wrapped data key, big-endian
    w bytes    data key (32 bytes, fresh for every version of every secret), wrapped
    12 bytes   nonce, random
    the rest   AES-256-GCM ciphertext and tag

Associated data of the ciphertext: the context below, then all bytes of the envelope before the nonce; of the
wrapped key: the context. So nothing in an envelope may move to another secret, tenant, purpose or version.
"""

import secrets
from collections.abc import Sequence

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.engine import Database
from ..db.tables import secret_versions, server_state
from ..errors import NotFound, OpenMiosaError
from .keys.base import Key, SealedKey, WrongKey, sealed
from .value import SecretValue

PURPOSES = ("value", "refresh_token", "client_secret", "authority_key", "pkce_verifier")
_FORMAT = 1
_NONCE = 12
_TAG = 16
_CHECK = "vault_check"  # an envelope of a known text, so that a wrong key is noticed at start and not at first use
_CHECK_TEXT = b"openmiosa"

log = structlog.get_logger(__name__)


class Damaged(OpenMiosaError):
    """An envelope that does not open: changed, moved, or made by another key. Never retried, always logged."""

    default_status = 500
    default_code = "VAULT_DAMAGED"


class Envelopes:
    """Stores, lends and destroys values inside the caller's transaction."""

    def __init__(self, database: Database, key: Key) -> None:
        self._database = database
        self._key = key
        self.sealed: str | None = key.reason if isinstance(key, SealedKey) else None

    async def open(self) -> str | None:
        """Check that the key is the one that wrapped what is stored; returns why the vault stays sealed, or None."""
        if self.sealed is not None:
            return self.sealed
        context = _context("check", "-", "vault", 1)
        async with self._database.begin() as tx:
            held = (await tx.execute(select(server_state.c.value).where(server_state.c.key == _CHECK))).scalar_one_or_none()
            if held is None:
                made = (await seal(self._key, _CHECK_TEXT, context)).hex()
                await tx.execute(insert(server_state).values(key=_CHECK, value=made))
                return None
        try:
            await unseal(self._key, bytes.fromhex(held), context)
        except (Damaged, ValueError):
            self.sealed = f"the key {self._key.id} is not the one that the stored secrets were wrapped by; give the server the right key"
            log.error("vault_sealed", reason=self.sealed)
        return self.sealed

    def require(self) -> None:
        """Refuse when sealed."""
        if self.sealed is not None:
            raise sealed(self.sealed)

    async def store(self, tx: AsyncConnection, tenant_id: str, owner_id: str, purpose: str, value: SecretValue) -> int:
        """Store a new version and destroy the ones before it; returns the version."""
        self.require()
        if purpose not in PURPOSES:
            raise ValueError(f"no such purpose: {purpose}")
        column = secret_versions.c
        mine = (column.owner_id == owner_id, column.purpose == purpose)
        version = ((await tx.execute(select(func.max(column.version)).where(*mine))).scalar_one() or 0) + 1
        envelope = await seal(self._key, value.reveal(), _context(purpose, tenant_id, owner_id, version))
        await tx.execute(
            insert(secret_versions).values(
                owner_id=owner_id, purpose=purpose, version=version, tenant_id=tenant_id, envelope=envelope, created_at=now()
            )
        )
        await tx.execute(delete(secret_versions).where(*mine, column.version < version))
        return version

    async def lend(self, tx: AsyncConnection, owner_id: str, purpose: str) -> tuple[int, SecretValue]:
        """The newest version and its value; NotFound when nothing is stored."""
        self.require()
        column = secret_versions.c
        query = (
            select(secret_versions).where(column.owner_id == owner_id, column.purpose == purpose).order_by(column.version.desc()).limit(1)
        )
        row = (await tx.execute(query)).one_or_none()
        if row is None:
            raise NotFound("no value is stored for this secret; set it, or connect the account", code="NO_VALUE")
        context = _context(purpose, row.tenant_id, owner_id, row.version)
        try:
            return row.version, SecretValue(await unseal(self._key, row.envelope, context))
        except Damaged:
            log.error("envelope_damaged", owner=owner_id, purpose=purpose, version=row.version)
            raise

    async def destroy(self, tx: AsyncConnection, owner_id: str, purposes: Sequence[str] = PURPOSES) -> None:
        """Delete every version; with the wrapped data key gone, copies of the data alone open nothing."""
        column = secret_versions.c
        await tx.execute(delete(secret_versions).where(column.owner_id == owner_id, column.purpose.in_(purposes)))


async def seal(key: Key, plaintext: bytes, context: bytes) -> bytes:
    """An envelope around the plaintext."""
    data_key = AESGCM.generate_key(256)
    wrapped = await key.wrap(data_key, context)
    key_id = key.id.encode()
    head = bytes([_FORMAT, len(key_id)]) + key_id + len(wrapped).to_bytes(2) + wrapped
    nonce = secrets.token_bytes(_NONCE)
    return head + nonce + AESGCM(data_key).encrypt(nonce, plaintext, context + head)


async def unseal(key: Key, envelope: bytes, context: bytes) -> bytes:
    """The plaintext; Damaged for anything that is not exactly what `seal` made with this key and context."""
    head, key_id, wrapped, rest = _parse(envelope)
    if key_id != key.id.encode():
        raise Damaged("a stored secret was wrapped by another key; give the server that key again")
    try:
        data_key = await key.unwrap(wrapped, context)
        return AESGCM(data_key).decrypt(rest[:_NONCE], rest[_NONCE:], context + head)
    except (WrongKey, InvalidTag, ValueError):
        raise Damaged(
            "a stored secret does not open: it was changed or moved; set it again, and look into who can write the database"
        ) from None


def _parse(envelope: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    damaged = Damaged("a stored secret is cut short or in a format of a newer server")
    if len(envelope) < 4 or envelope[0] != _FORMAT:
        raise damaged
    key_end = 2 + envelope[1]
    wrapped_end = key_end + 2 + int.from_bytes(envelope[key_end : key_end + 2])
    if len(envelope) < wrapped_end + _NONCE + _TAG:
        raise damaged
    return envelope[:wrapped_end], envelope[2:key_end], envelope[key_end + 2 : wrapped_end], envelope[wrapped_end:]


def _context(purpose: str, tenant_id: str, owner_id: str, version: int) -> bytes:
    return f"openmiosa vault v1\n{purpose}\n{tenant_id}\n{owner_id}\n{version}".encode()
