"""One process per SQLite file.

SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode when two connections write or checkpoint at the
same moment (the "WAL-reset" fault), and Debian 12 and CPython's own builds carry such versions. One
connection in one process excludes it, whatever version is in use; this lock is the "one process" half.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import Unavailable


class ProcessLock:
    """An exclusive lock on a file beside the database, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or say who has it; never wait."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise Unavailable(
                f"the database is in use by another server (process {holder}, lock file {self._path.name}); "
                "stop that server first, or use PostgreSQL for several servers",
                code="DATABASE_LOCKED",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; the file stays, since deleting it would let two servers lock two files."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
