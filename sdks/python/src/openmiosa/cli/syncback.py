"""`run --sync-back`: what the command changed or made in /workspace comes back; nothing of this folder is lost by it."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._sync.sandboxes import Sandbox
from . import archive
from .gather import LEFT_BEHIND, Gathered

ASIDE = ".from-sandbox"
# Seconds of two clocks' renderings of one moment.
CLOSE = 0.001
_PRUNE = " -o ".join(f"-name {name}" for name in sorted(LEFT_BEHIND))
LIST = f"find . \\( {_PRUNE} \\) -prune -o -type f -printf '%s %T@ %P\\0'"

Known = dict[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back under its own name, and what stands beside a file that was not ours to replace."""

    written: list[str]
    aside: list[str]


def remember(found: Gathered) -> Known:
    """Sizes and times of what is sent, to tell later what has changed on either side."""
    known = {}
    for name in found.names:
        state = (found.folder / name).lstat()
        known[name] = (state.st_size, state.st_mtime)
    return known


def sync_back(sandbox: Sandbox, folder: Path, sent: Known, workspace: str) -> Returned:
    """Bring back what is new or changed inside."""
    listed = sandbox.exec(LIST, cwd=workspace).check().stdout
    changed = [name for name, state in _parsed(listed).items() if not _same(sent.get(name), state)]
    returned = Returned([], [])
    if not changed:
        return returned
    with tempfile.TemporaryDirectory(prefix="openmiosa-back-") as made:
        draft = Path(made)
        wanted = set(changed)
        for name in archive.fetch(sandbox, workspace, changed, draft):
            # The sandbox made the list and the archive: what is no plain file that we asked for is nothing we take.
            if name in wanted and _is_plain(draft, name):
                _place(draft / name, folder, name, sent, returned)
    return returned


def _is_plain(draft: Path, name: str) -> bool:
    """Whether a regular file lies there, and no link on the way to it."""
    way = draft / name
    return way.is_file() and way.resolve() == draft.resolve() / name


def _place(source: Path, folder: Path, name: str, sent: Mapping[str, tuple[int, float]], returned: Returned) -> None:
    target = folder / name
    below, top = target.parent.resolve(), folder.resolve()
    if top not in (*below.parents, below):
        returned.aside.append(f"{name} (its folder is a link to elsewhere: not written)")
        return
    if LEFT_BEHIND & {part.lower() for part in (*below.relative_to(top).parts, target.name)}:
        # git, Python and their kin run what lies there, on this machine and without being asked.
        returned.aside.append(f"{name} (nothing is written where tools keep what they run: not written)")
        return
    below.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.exists():
        state = target.lstat()
        if name not in sent or not _same(sent[name], (state.st_size, state.st_mtime)):
            # It was not sent, or was changed here meanwhile: both versions stay.
            target = target.with_name(target.name + ASIDE)
            returned.aside.append(f"{name}{ASIDE}")
            shutil.move(source, target)
            return
    shutil.move(source, target)
    returned.written.append(name)


def _parsed(listed: str) -> Known:
    found = {}
    for entry in listed.split("\0"):
        size, _, rest = entry.partition(" ")
        moment, _, name = rest.partition(" ")
        if name and not name.endswith(".pyc"):
            found[name] = (int(size), float(moment))
    return found


def _same(one: tuple[int, float] | None, other: tuple[int, float]) -> bool:
    return one is not None and one[0] == other[0] and abs(one[1] - other[1]) < CLOSE
