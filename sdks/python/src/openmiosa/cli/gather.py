"""What of a folder goes into a sandbox: what git would take, else all but what tools left behind; never what looks like credentials."""

import fnmatch
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .options import UsageError

# A folder of sources has less; more is a download folder or a data set that somebody did not mean.
MOST_BYTES = 256 * 1024 * 1024
MOST_FILES = 50_000
NAMED = 3
# Where git does not say what belongs to the work: histories, environments and caches.
LEFT_BEHIND = frozenset(
    (".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache")
)
# An agent that could read these would hold what this system keeps from it.
CREDENTIALS = (
    *(".env", ".env.*", ".envrc", ".netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".git-credentials", ".vault-token"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "id_rsa", "id_dsa", "id_ecdsa*", "id_ed25519*"),
    *(".ssh", ".gnupg", "*.aws/credentials", "*.kube/config", "*.docker/config.json"),
    *("credentials.json", "service[-_]account*.json", "client_secret*.json", "secrets.toml", "*.tfstate", "*.tfvars"),
    *("kek", "bootstrap.key", "openmiosa.db*"),  # of an installation's own state folder
)
HARMLESS = (".env.example", ".env.sample", ".env.template")


@dataclass(slots=True)
class Gathered:
    """The files of a folder, by their names below it, and what was left out."""

    folder: Path
    names: list[str] = field(default_factory=list)
    size: int = 0
    withheld: list[str] = field(default_factory=list)
    by_git: bool = False


def gather(folder: Path, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Gathered:
    """The files to send, none of them read yet."""
    included, excluded = tuple(include), tuple(exclude)
    found = Gathered(folder)
    listed = _by_git(folder)
    found.by_git = listed is not None
    for name in sorted(listed if listed is not None else _walked(folder)):
        if _any(name, excluded):
            continue
        if _any(name, CREDENTIALS) and not _any(name.rpartition("/")[2], HARMLESS) and not _any(name, included):
            found.withheld.append(name)
            continue
        size = _size(folder / name)
        if size is not None:
            found.names.append(name)
            found.size += size
    # What was asked for by name goes along, though git ignores it.
    for name in _named(folder, included, set(found.names)):
        found.names.append(name)
        found.size += _size(folder / name) or 0
    return found


def check_size(found: Gathered, limit: int | None = None) -> None:
    """Refuse what nobody meant to send."""
    most = MOST_BYTES if limit is None else limit
    if found.size <= most and len(found.names) <= MOST_FILES:
        return
    large = sorted(found.names, key=lambda name: _size(found.folder / name) or 0, reverse=True)[:NAMED]
    shown = ", ".join(f"{name} ({readable(_size(found.folder / name) or 0)})" for name in large)
    raise UsageError(
        f"this folder has {len(found.names)} files, {readable(found.size)}: more than is sent unasked "
        f"({readable(most)}, {MOST_FILES} files). "
        f"Largest: {shown}. Leave some out (.gitignore, --exclude PATTERN), send it all (--max-size {readable(found.size, up=True)}), "
        "or send nothing (--no-upload)"
    )


def check_values(found: Gathered, values: Mapping[str, str]) -> None:
    """Refuse a file that holds the value of a secret: inside, the agent would hold it too."""
    wanted = {name: value.encode() for name, value in values.items() if len(value) >= 8}
    for name in found.names if wanted else ():
        path = found.folder / name
        if path.is_symlink():
            continue
        content = path.read_bytes()
        for secret, value in wanted.items():
            if value in content:
                raise UsageError(
                    f"{name} holds the value of {secret}, so the sandbox would hold it too: take it out of the file "
                    f"(the sandbox has a placeholder in its environment), or leave the file out with --exclude '{name}'"
                )


def check_folder(folder: Path) -> None:
    """Refuse folders that hold far more than a piece of work."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    if folder in (Path(folder.anchor), Path.home()):
        raise UsageError(f"{folder} holds far more than an agent should see: go to the folder of your work, or use --no-upload")


def readable(size: int, *, up: bool = False) -> str:
    """A size as people say it, and as --max-size reads it."""
    for unit, name in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if size >= unit:
            return f"{size // unit + 1}{name}" if up else f"{size / unit:.1f} {name}iB"
    return f"{size}" if up else f"{size} bytes"


def size_of(text: str) -> int:
    """What `readable` wrote."""
    number, unit = text.strip().rstrip("iB").strip(), 1
    for letter, factor in (("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)):
        if number.upper().endswith(letter):
            number, unit = number[:-1].strip(), factor
    try:
        return int(float(number) * unit)
    except ValueError:
        raise UsageError(f"{text!r} is no size: write 500M or 2G") from None


def _by_git(folder: Path) -> list[str] | None:
    """What git tracks, or would track, below the folder; None where it has no say."""
    if shutil.which("git") is None:
        return None
    # A folder of somebody else may name a program there that git would run to learn what has changed.
    quietly = ["-c", "core.fsmonitor=false"]
    command = ["git", *quietly, "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    asked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if asked.returncode != 0:
        return None
    return [os.fsdecode(name) for name in set(asked.stdout.split(b"\0")) if name]


def _walked(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_BEHIND]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(place, name), folder)


def _named(folder: Path, included: tuple[str, ...], there: set[str]) -> list[str]:
    """Files that --include names and that are not among the others."""
    found = []
    for pattern in included:
        for path in sorted(folder.glob(pattern)):
            files = [path] if not path.is_dir() else [one for one in sorted(path.rglob("*")) if not one.is_dir()]
            found += [name for one in files if (name := one.relative_to(folder).as_posix()) not in there]
    return list(dict.fromkeys(found))


def _any(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name, its last part, or a folder on its way matches."""
    parts = name.split("/")
    ways = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    return any(fnmatch.fnmatch(one, pattern.rstrip("/")) for pattern in patterns for one in (*ways, *parts))


def _size(path: Path) -> int | None:
    """Bytes of a file or link; None for what cannot be sent, such as a socket, a folder or what is gone."""
    try:
        known = path.lstat()
    except OSError:
        return None
    return known.st_size if stat.S_ISREG(known.st_mode) or stat.S_ISLNK(known.st_mode) else None
