"""Files on their way in and out, as a tar stream: modes, links and empty folders arrive, however many there are."""

import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from shlex import quote
from typing import IO, Any, cast

from .._sync.sandboxes import Sandbox
from ..errors import MiosaError
from .options import UsageError

CHUNK = 256 * 1024
SAID = 4096

Progress = Callable[[int], object]


def send(
    sandbox: Sandbox, folder: Path, names: Iterable[str], target: str, progress: Progress = lambda _: None, *, follow: bool = False
) -> None:
    """Put files of a folder into a folder inside, which is made when it is not there; with `follow`, what links stand for."""
    command = f"mkdir -p {quote(target)} && exec tar -xf - -C {quote(target)}"
    with sandbox.shell(command, cwd="/", tty=False) as inside:
        into = _Into(inside, progress)
        fileobj = cast("IO[bytes]", into)
        with tarfile.open(fileobj=fileobj, mode="w|", bufsize=CHUNK, format=tarfile.PAX_FORMAT, dereference=follow) as tar:
            for name in names:
                tar.add(folder / name, arcname=name, recursive=False, filter=_nobodys)
        if into.open:
            inside.close_stdin()
        said = b""
        for output in inside:
            said = (said + output.data)[:SAID]
    if inside.exit_code:
        why = said.decode(errors="replace").strip() or f"tar ended with {inside.exit_code}"
        raise MiosaError(f"the files did not arrive in {target}: {why}")


def everything(path: Path) -> list[str]:
    """All that is below a folder, folders too, links as links."""
    return [
        found.relative_to(path).as_posix() for found in sorted(path.rglob("*")) if found.is_symlink() or found.is_dir() or found.is_file()
    ]


def fetch(sandbox: Sandbox, folder: str, names: Iterable[str] | None, target: Path, progress: Progress = lambda _: None) -> list[str]:
    """Bring files of a folder inside to a folder here; gives their names. Without names, all of it.

    The archive is made by the sandbox, so it is read as a stranger's: nothing leaves the target, no devices, no owners.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UsageError("this Python cannot unpack a stranger's archive safely: use 3.11.4 or later")
    packed = f"/tmp/.fetch-{os.urandom(8).hex()}.tar"  # noqa: S108 (a name inside the sandbox)
    wanted = f"{packed}.names"
    into = f"tar -cf {packed} -C {quote(folder)}"
    if names is not None:
        sandbox.files.write(wanted, "\0".join(f"./{name}" for name in names))
        into = f"{into} --null --no-recursion -T {wanted}; code=$?; rm {wanted}; exit $code"
    made = sandbox.exec(into if names is not None else f"{into} .")
    try:
        if not made.ok:
            raise MiosaError(f"{folder} could not be packed: {made.stderr.strip() or f'tar ended with {made.exit_code}'}")
        return _unpack(sandbox, packed, target, progress)
    finally:
        sandbox.files.delete(packed)


def _unpack(sandbox: Sandbox, packed: str, target: Path, progress: Progress) -> list[str]:
    target.mkdir(parents=True, exist_ok=True)
    unpacked = []
    with tempfile.TemporaryFile() as kept:
        for chunk in sandbox.files.read_stream(packed):
            kept.write(chunk)
            progress(len(chunk))
        kept.seek(0)
        with tarfile.open(fileobj=kept, mode="r:") as tar:
            for member in tar:
                try:
                    tar.extract(member, target, filter="data")
                except tarfile.FilterError as error:
                    raise MiosaError(f"the sandbox packed something that does not belong here, and it was not unpacked: {error}") from error
                if not member.isdir():
                    unpacked.append(os.path.normpath(member.name))
    return unpacked


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whose a file is here means nothing inside."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


class _Into:
    """The command's standard input as a file that tar writes to. Once nobody reads it, the rest is dropped: the exit code says why."""

    def __init__(self, terminal: Any, progress: Progress) -> None:
        self._terminal = terminal
        self._progress = progress
        self.open = True

    def write(self, data: bytes) -> int:
        from httpx2.websockets import HTTPXWSException

        if self.open:
            try:
                self._terminal.send(bytes(data))
            except (HTTPXWSException, OSError):
                self.open = False
            self._progress(len(data))
        return len(data)
