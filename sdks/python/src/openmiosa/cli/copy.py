"""`openmiosa cp`: files and folders into a sandbox and out of it, as docker cp and scp have it."""

import os
import posixpath
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from . import complete, output
from .context import client
from .options import DEFAULTS, Common, UsageError

if TYPE_CHECKING:
    from .._sync.sandboxes import Sandbox

WORKSPACE = "/workspace"
CHUNK = 1024 * 1024

Side = Annotated[str, Parameter(completer=complete.places, allow_leading_hyphen=True)]
# Hands that know cp and scp type it; a folder is copied whole in any case.
Recursive = Annotated[bool, Parameter(name=("--recursive", "-r"), negative=(), show=False)]


@dataclass(frozen=True, slots=True)
class Remote:
    """SANDBOX:PATH."""

    sandbox: str
    path: str


def cp(source: Side, target: Side, /, *, recursive: Recursive = False, common: Common = DEFAULTS) -> None:
    """Copy a file or folder: PATH SANDBOX:PATH, or SANDBOX:PATH PATH.

    A path inside that does not begin with / is below /workspace. A target that is a folder receives the source under its own
    name. `-` is standard input or output, for one file.
    """
    here, there = _side(source), _side(target)
    if isinstance(here, Remote) == isinstance(there, Remote):
        raise UsageError("one side is a sandbox's, as NAME:PATH, and the other is here; ./a:b is a file here that has a colon")
    with client(common) as api:
        if isinstance(there, Remote):
            done = _in(api.sandboxes.get(there.sandbox), str(here), there)
        else:
            assert isinstance(here, Remote)
            done = _out(api.sandboxes.get(here.sandbox), here, there)
    # What goes to standard output is the file and nothing else.
    if target != "-":
        output.done(done, f"{source} is now at {done['path']}.", common)


def _side(text: str) -> str | Remote:
    """NAME:PATH is a sandbox's unless a slash comes before the colon."""
    name, colon, path = text.partition(":")
    if not colon or not name or "/" in name or name == ".":
        return text
    return Remote(name, posixpath.normpath(posixpath.join(WORKSPACE, path or ".")) + ("/" if path.endswith("/") else ""))


def _in(sandbox: "Sandbox", source: str, target: Remote) -> dict[str, object]:
    if source == "-":
        with tempfile.TemporaryDirectory() as made:
            draft = Path(made, "stdin")
            with draft.open("wb") as out:
                while part := sys.stdin.buffer.read(CHUNK):
                    out.write(part)
            return _file_in(sandbox, draft, target.path)
    path = Path(source).expanduser()
    if not path.exists():
        raise UsageError(f"there is no {source} here")
    inside = _destination(sandbox, target.path, path.resolve().name)
    return _folder_in(sandbox, path, inside) if path.is_dir() else _file_in(sandbox, path, inside)


def _destination(sandbox: "Sandbox", wanted: str, name: str) -> str:
    """Where it goes: into a folder that is there, else under the name that was given."""
    from ..errors import NotFoundError

    try:
        folder = sandbox.files.stat(wanted.rstrip("/") or "/").is_dir
    except NotFoundError:
        folder = wanted.endswith("/")
    return posixpath.join(wanted, name) if folder else wanted


def _file_in(sandbox: "Sandbox", path: Path, inside: str) -> dict[str, object]:
    from . import archive
    from .progress import bar

    size = path.stat().st_size
    folder, name = posixpath.split(inside.rstrip("/"))
    with tempfile.TemporaryDirectory() as made, bar(f"copying {path.name}", size) as progress:
        # The archive calls it by its new name, and follows a link to what it stands for.
        os.symlink(path.resolve(), Path(made, name))
        archive.send(sandbox, Path(made), [name], folder or "/", progress, follow=True)
    return {"path": f"{sandbox.name or sandbox.id}:{inside}", "bytes": size}


def _folder_in(sandbox: "Sandbox", path: Path, inside: str) -> dict[str, object]:
    from . import archive
    from .progress import bar

    names = archive.everything(path)
    size = sum((path / name).lstat().st_size for name in names)
    with bar(f"copying {path.name or 'folder'}", size) as progress:
        archive.send(sandbox, path, names, inside, progress)
    return {"path": f"{sandbox.name or sandbox.id}:{inside}", "files": len(names), "bytes": size}


def _out(sandbox: "Sandbox", source: Remote, target: str) -> dict[str, object]:
    known = sandbox.files.stat(source.path.rstrip("/") or "/")
    if target == "-":
        if known.is_dir:
            raise UsageError("standard output takes one file; a folder needs a place here")
        return _stream(sandbox, source.path, known.size, sys.stdout.buffer.write)
    path = Path(target).expanduser()
    name = posixpath.basename(source.path.rstrip("/")) or sandbox.name or sandbox.id
    if path.is_dir() or target.endswith("/"):
        path = path / name
    return _folder_out(sandbox, source.path, path) if known.is_dir else _file_out(sandbox, source.path, known.size, path)


def _file_out(sandbox: "Sandbox", inside: str, size: int, path: Path) -> dict[str, object]:
    from .. import _local

    path.parent.mkdir(parents=True, exist_ok=True)
    with _local.whole_file(path) as write:
        done = _stream(sandbox, inside, size, write)
    return {**done, "path": str(path)}


def _stream(sandbox: "Sandbox", inside: str, size: int, write: Callable[[bytes], object]) -> dict[str, object]:
    from .progress import bar

    got = 0
    with bar(f"copying {posixpath.basename(inside)}", size) as progress:
        for chunk in sandbox.files.read_stream(inside):
            write(chunk)
            progress(len(chunk))
            got += len(chunk)
    sys.stdout.flush()
    return {"path": "-", "bytes": got}


def _folder_out(sandbox: "Sandbox", inside: str, path: Path) -> dict[str, object]:
    from . import archive
    from .progress import bar

    with bar(f"copying {posixpath.basename(inside.rstrip('/'))}", None) as progress:
        names = archive.fetch(sandbox, inside, None, path, progress)
    return {"path": str(path), "files": len(names)}
