"""Key-encryption keys: where they live, and one door to open them."""

from pathlib import Path
from typing import Any

from sqlalchemy import exists, select

from ...db.engine import Database
from ...db.tables import secret_versions
from ...errors import Unavailable
from .base import Key, SealedKey
from .file import FileKey
from .kms import KmsKey
from .transit import TransitKey

__all__ = ["FileKey", "Key", "KmsKey", "SealedKey", "TransitKey", "open_key"]


async def open_key(kind: str, database: Database, *, path: Path | None = None, **options: Any) -> Key:
    """Open the key-encryption key; one that cannot be opened is a SealedKey that says why.

    `file` takes `path`; `transit` takes `address, key_name, token_file, mount, ca_file`; `kms` takes `key_id, region`.
    """
    try:
        if kind == "file":
            if path is None:
                raise Unavailable("the vault's key file has no path; set vault.key_file", code="VAULT_SEALED")
            return FileKey.open(path, may_create=not await _has_data(database))
        if kind == "transit":
            return TransitKey(**options)
        if kind == "kms":
            return KmsKey(**options)
    except Unavailable as error:
        return SealedKey(error.message)
    return SealedKey(f"no such kind of key: {kind!r}; vault.key is file, transit or kms")


async def _has_data(database: Database) -> bool:
    async with database.read() as tx:
        return bool((await tx.execute(select(exists(select(secret_versions.c.owner_id))))).scalar_one())
