"""Files on this machine: what uploads read and downloads write."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHUNK_BYTES = 64 * 1024

# What is told of a transfer: bytes so far, and of how many, when that is known.
Progress = Callable[[int, int | None], object]


class Source:
    """What an upload sends: a path, bytes, an open file, or an iterable of bytes. Never more than a piece of it is held."""

    def __init__(self, given: Any, progress: Progress | None = None) -> None:
        self.given = given
        self._progress = progress
        self._done = 0
        self._start: int | None = None
        self.size = self._measure()
        self.is_async = hasattr(given, "__aiter__")

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, piece by piece, from where it stands."""
        if isinstance(self.given, str | os.PathLike):
            with open(self.given, "rb") as file:
                yield from self._read(file)
        elif isinstance(self.given, bytes | bytearray | memoryview):
            for place in range(0, len(self.given), CHUNK_BYTES):
                yield self.took(bytes(self.given[place : place + CHUNK_BYTES]))
        elif hasattr(self.given, "read"):
            yield from self._read(self.given)
        else:
            for piece in self.given:
                yield self.took(piece)

    def took(self, piece: bytes) -> bytes:
        """Count a piece that was read."""
        self._done += len(piece)
        if self._progress is not None:
            self._progress(self._done, self.size)
        return piece

    def rewind(self) -> bool:
        """Go back to the beginning; False when what was read cannot be read again."""
        if self._done and not isinstance(self.given, str | os.PathLike | bytes | bytearray | memoryview):
            if self._start is None:
                return False
            self.given.seek(self._start)
        self._done = 0
        return True

    def _read(self, file: Any) -> Iterator[bytes]:
        while piece := file.read(CHUNK_BYTES):
            yield self.took(piece)

    def _measure(self) -> int | None:
        if isinstance(self.given, str | os.PathLike):
            return os.stat(self.given).st_size
        if isinstance(self.given, bytes | bytearray | memoryview):
            return len(self.given)
        if not hasattr(self.given, "read") or not (hasattr(self.given, "seekable") and self.given.seekable()):
            return None
        self._start = int(self.given.tell())
        size = int(self.given.seek(0, os.SEEK_END)) - self._start
        self.given.seek(self._start)
        return size


@contextlib.contextmanager
def whole_file(target: Any) -> Iterator[Callable[[bytes], object]]:
    """Gives `write`, of an open file, or of a new one that appears under its name once all of it is there, or not at all."""
    if hasattr(target, "write"):
        yield target.write
        return
    path = Path(target)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out.write
        Path(draft).chmod(0o666 & ~_umask())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def is_folder(source: Any) -> bool:
    """Whether a source is a folder of this machine."""
    return isinstance(source, str | os.PathLike) and Path(source).is_dir()


def inside(folder: str | os.PathLike[str]) -> tuple[list[str], list[tuple[str, Path]]]:
    """What is in a folder: the folders in which nothing is, and the files, each with its name relative to the folder.

    A link that leads out of it is left out: a folder of somebody else could have one to this machine's credentials.
    """
    top = os.path.realpath(folder)
    found = [path for path in sorted(Path(folder).rglob("*")) if Path(os.path.realpath(path)).is_relative_to(top)]
    files = [(path.relative_to(folder).as_posix(), path) for path in found if path.is_file()]
    empty = [path.relative_to(folder).as_posix() for path in found if path.is_dir() and not any(path.iterdir())]
    return empty, files


def mode_of(source: Any) -> str | None:
    """The permissions of a file of this machine, as the API spells them."""
    return f"{Path(source).stat().st_mode & 0o777:04o}" if isinstance(source, str | os.PathLike) else None


def _umask() -> int:
    # The mask can only be read by setting it; a private file created by mkstemp would otherwise stay 0600.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
