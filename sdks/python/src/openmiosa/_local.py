"""Files on this machine: what uploads read and downloads write."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(target: str | os.PathLike[str]) -> Iterator[Callable[[bytes], object]]:
    """Gives `write`; the file appears under its name once all of it is there, or not at all."""
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


def files_under(source: str | os.PathLike[str]) -> list[tuple[str, Path]]:
    """The files to send for a path: itself, or every regular file beneath it with its relative name."""
    path = Path(source)
    if not path.is_dir():
        return [("", path)]
    return [(found.relative_to(path).as_posix(), found) for found in sorted(path.rglob("*")) if found.is_file()]


def _umask() -> int:
    # The mask can only be read by setting it; a private file created by mkstemp would otherwise stay 0600.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
