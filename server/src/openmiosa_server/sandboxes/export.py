"""Files and folders of a sandbox as one tar.gz, made while it is sent: what is in memory is a piece of one file."""

import tarfile
import zlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from ..errors import Conflict, NotFound
from .activity import Activity
from .backends import Backend
from .types import Sandbox

_GZIP = 31  # zlib's number for 15 bits of window within a gzip envelope
_LEVEL = 5
_PIECE = 1 << 18


class Export:
    """What is to be sent. Links are kept as links; pipes and sockets are left out."""

    def __init__(self, backend: Backend, sandbox: Sandbox, entries: list[dict[str, Any]], activity: Activity) -> None:
        self._backend = backend
        self._sandbox = sandbox
        self._activity = activity
        self.entries = entries

    @property
    def sandbox_id(self) -> str:
        """Whose files they are."""
        return self._sandbox.id

    @property
    def only_file(self) -> dict[str, Any] | None:
        """The entry, when one regular file is all there is."""
        first = self.entries[0]
        return first if len(self.entries) == 1 and first["type"] == "file" else None

    async def content(self) -> AsyncIterator[bytes]:
        """That one file as it is."""
        with self._activity.use(self._sandbox.id):
            async with self._backend.read_file(self._sandbox.id, self.entries[0]["path"]) as content:
                async for piece in content:
                    yield piece

    async def archive(self) -> AsyncIterator[bytes]:
        """All of it, compressed."""
        squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        waiting = bytearray()
        with self._activity.use(self._sandbox.id):
            async for piece in self._tar():
                waiting += squeeze.compress(piece)
                if len(waiting) >= _PIECE:
                    yield bytes(waiting)
                    waiting.clear()
        yield bytes(waiting) + squeeze.flush()

    async def _tar(self) -> AsyncIterator[bytes]:
        taken: set[str] = set()
        for entry in self.entries:
            name = _unused(entry["path"].rstrip("/").rpartition("/")[2] or "root", taken)
            async for piece in self._entry(entry, name):
                yield piece
        yield b"\0" * (2 * tarfile.BLOCKSIZE)

    async def _entry(self, entry: dict[str, Any], name: str) -> AsyncIterator[bytes]:
        waiting = [(entry, name)]
        while waiting:
            found, called = waiting.pop()
            if found["type"] == "dir":
                yield _header(found, called)
                waiting += [(inner, f"{called}/{inner['name']}") for inner in reversed(await self._inside(found))]
            elif found["type"] == "symlink":
                yield _header(found, called)
            elif found["type"] == "file":
                async for piece in self._file(found, called):
                    yield piece

    async def _inside(self, folder: dict[str, Any]) -> list[dict[str, Any]]:
        listing = await self._backend.list_files(self._sandbox.id, folder["path"], 1)
        if listing["truncated"]:
            raise Conflict(f"{folder['path']} holds more entries than are exported; export its folders one by one", code="TOO_LARGE")
        return list(listing["entries"])

    async def _file(self, entry: dict[str, Any], name: str) -> AsyncIterator[bytes]:
        """The header promises a size: what grows meanwhile is cut there, what shrinks is filled up, as tar itself does."""
        left = int(entry["size"])
        try:
            async with self._backend.read_file(self._sandbox.id, entry["path"]) as content:
                yield _header(entry, name)
                async for piece in content:
                    given = piece[:left]
                    left -= len(given)
                    yield given
                    if not left:
                        break
        except NotFound:
            return  # it went away while we looked
        while left:
            filling = min(left, _PIECE)
            left -= filling
            yield b"\0" * filling
        yield b"\0" * (-int(entry["size"]) % tarfile.BLOCKSIZE)


def _header(entry: dict[str, Any], name: str) -> bytes:
    made = tarfile.TarInfo(name)
    made.mode = int(entry["mode"], 8) & 0o777
    made.mtime = int(datetime.fromisoformat(entry["modified_at"]).timestamp())
    if entry["type"] == "dir":
        made.type = tarfile.DIRTYPE
    elif entry["type"] == "symlink":
        made.type, made.linkname = tarfile.SYMTYPE, entry.get("target") or ""
    else:
        made.size = int(entry["size"])
    return made.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _unused(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free
