"""Ids: a prefix that names the noun, and a lower-case ULID, so that they sort by the time they were made."""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_TIME_DIGITS = 10  # 48 bits of milliseconds
_RANDOM_DIGITS = 16  # 80 bits


def new_id(prefix: str) -> str:
    """A fresh id such as `sbx_01j…`."""
    return f"{prefix}_{ulid()}"


def ulid() -> str:
    """A fresh lower-case ULID."""
    moment = _encode(time.time_ns() // 1_000_000, _TIME_DIGITS)
    return moment + _encode(int.from_bytes(os.urandom(10)), _RANDOM_DIGITS)


def _encode(number: int, digits: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(digits)))
