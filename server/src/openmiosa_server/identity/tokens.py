"""API keys as text.

    msk_live_ <27 characters of base 62: 160 random bits> <6 characters: CRC-32 of all before it>

The checksum lets secret scanners and we ourselves tell a key from noise without asking the database.
Only the SHA-256 is stored: with 160 random bits there is nothing for a slow hash to protect.
"""

import hashlib
import secrets
import zlib

PREFIX = "msk_live_"
SHOWN = 12  # characters of a key that lists show
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS = 27
_CHECK_CHARACTERS = 6


def mint() -> str:
    """A fresh key."""
    body = PREFIX + _base62(secrets.randbits(160), _RANDOM_CHARACTERS)
    return body + _checksum(body)


def well_formed(token: str) -> bool:
    """Whether the text can be a key of ours at all; says nothing about whether it is one."""
    if len(token) != len(PREFIX) + _RANDOM_CHARACTERS + _CHECK_CHARACTERS or not token.startswith(PREFIX) or not token.isascii():
        return False
    return token[-_CHECK_CHARACTERS:] == _checksum(token[:-_CHECK_CHARACTERS])


def digest(token: str) -> str:
    """What is stored and looked up in place of the key."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    text = ""
    for _ in range(characters):
        number, digit = divmod(number, 62)
        text = _ALPHABET[digit] + text
    return text
