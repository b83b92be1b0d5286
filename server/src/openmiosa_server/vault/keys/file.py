"""The default key-encryption key: 32 random bytes in a file that only the server reads.

    openmiosa-kek-v1 <base64 of 32 bytes>\\n

The first word names the format; a reader refuses every other. Only the base64 part may move to another machine.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .base import WrongKey, sealed

_HEADER = "openmiosa-kek-v1"
_NONCE = 12


class FileKey:
    """Wraps data keys by AES-256-GCM under the key in the file."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("a key-encryption key has 32 bytes")
        self._aead = AESGCM(key)
        self.id = "file:" + hashlib.sha256(b"openmiosa kek id\n" + key).hexdigest()[:16]

    @classmethod
    def open(cls, path: Path, *, may_create: bool) -> Self:
        """Read the key; make it only when there is no file and, says the caller, no data that another key wrapped."""
        try:
            return cls(_read(path))
        except FileNotFoundError:
            if not may_create:
                raise sealed(
                    f"the key file {path.name} is missing and there are secrets that only it can open; "
                    "put it back from where it is kept (a new one is never made over existing secrets)"
                ) from None
        except OSError as error:
            raise sealed(f"the key file {path.name} cannot be read: {error.strerror}") from None
        key = secrets.token_bytes(32)
        _create(path, key)
        return cls(key)

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._aead.encrypt(nonce, data_key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The data key."""
        try:
            return self._aead.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise WrongKey from None


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as file:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise sealed(f"the key file {path.name} is no regular file")
        if about.st_uid not in (os.geteuid(), 0):
            raise sealed(f"the key file {path.name} belongs to another user (id {about.st_uid})")
        if about.st_mode & 0o077:
            raise sealed(f"the key file {path.name} can be read by others (mode {stat.S_IMODE(about.st_mode):04o}); chmod 600 it")
        text = file.read(256)
    words = text.decode("ascii", "replace").split()
    if len(words) != 2 or words[0] != _HEADER:
        raise sealed(f"the key file {path.name} is not in the format `{_HEADER} <base64>`")
    try:
        key = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise sealed(f"the key file {path.name} is not valid base64") from None
    if len(key) != 32:
        raise sealed(f"the key in {path.name} has {len(key)} bytes, not 32")
    return key


def _create(path: Path, key: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(f"{_HEADER} {base64.b64encode(key).decode()}\n".encode())
        file.flush()
        os.fsync(fd)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # a key that wraps secrets must survive the power cut that the secrets survive
    finally:
        os.close(folder)
