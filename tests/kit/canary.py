"""Canaries: unique 40-byte values, and a finder of each of their thirteen encodings in anything."""

import base64
import functools
import html
import os
import random
import re
import secrets
import stat
import string
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LENGTH = 40
# Characters that every encoding changes, all of them legal in a header, so that no encoding of a canary equals another.
_TAIL = "/+=&<>%'"


def canary() -> str:
    """A value of 40 bytes that exists once in the world."""
    drawn = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(LENGTH - len(_TAIL) - 2))
    tail = "".join(random.sample(_TAIL, len(_TAIL)))
    return f"C{drawn[:16]}{tail}{drawn[16:]}y"


@dataclass(frozen=True)
class Sighting:
    """Where a canary was, and how it was written."""

    where: str
    encoding: str
    offset: int


def encodings(value: str) -> dict[str, list[bytes]]:
    """The thirteen encodings of oracle G1; an encoding with several spellings has several needles."""
    raw = value.encode()
    points = [ord(letter) for letter in value]
    return {
        "raw": [raw],
        **{f"base64 at {shift}": [_middle(base64.b64encode, raw, shift)] for shift in range(3)},
        "base64url": [_middle(base64.urlsafe_b64encode, raw, shift) for shift in range(3)],
        "hex": [raw.hex().encode()],
        "HEX": [raw.hex().upper().encode()],
        "percent": [urllib.parse.quote(value, safe="").encode(), _spelled("%{:02X}", points), _spelled("%{:02x}", points)],
        "json": [_spelled("\\u{:04x}", points), _spelled("\\u{:04X}", points)],
        "html": [_spelled("&#{};", points), _spelled("&#x{:x};", points), html.escape(value).encode()],
        "utf-16le": [value.encode("utf-16-le")],
        "utf-16be": [value.encode("utf-16-be")],
        "reversed": [raw[::-1]],
    }


def _spelled(pattern: str, points: list[int]) -> bytes:
    return "".join(pattern.format(point) for point in points).encode()


def _middle(encode: object, raw: bytes, shift: int) -> bytes:
    # Only the groups that hold nothing but the canary are the same whatever stands around it.
    encoded: bytes = encode(b"\0" * shift + raw)  # type: ignore[operator]
    first = 0 if shift == 0 else 4
    last = (shift + len(raw)) // 3 * 4
    return encoded[first:last]


class Finder:
    """Looks for a set of canaries in bytes, files and folders."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = list(values)

    @functools.cached_property
    def _needles(self) -> dict[bytes, str]:
        return {needle: encoding for value in self.values for encoding, spelled in encodings(value).items() for needle in spelled}

    @functools.cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(re.escape(needle) for needle in self._needles) or b"(?!)")

    def in_bytes(self, data: bytes, where: str) -> Iterator[Sighting]:
        """Every sighting in `data`."""
        for found in self._pattern.finditer(data):
            yield Sighting(where, self._needles[found.group()], found.start())

    def in_folder(self, folder: Path) -> Iterator[Sighting]:
        """Every sighting in the regular files below `folder`: database, journal, logs, writable layers."""
        for root, _, names in os.walk(folder):
            for name in names:
                path = Path(root, name)
                try:
                    if stat.S_ISREG(path.lstat().st_mode):
                        yield from self.in_bytes(path.read_bytes(), str(path.relative_to(folder)))
                except (FileNotFoundError, PermissionError):
                    continue
