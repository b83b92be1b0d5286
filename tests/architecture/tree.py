"""The tracked files of the repository, and where it is."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "server" / "src" / "openmiosa_server"
SDK = ROOT / "sdks" / "python" / "src" / "openmiosa"


@functools.cache
def tracked() -> list[Path]:
    """Every file that git knows or would add, so that a law holds before the commit and not after it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


def sources(*suffixes: str) -> list[Path]:
    """The tracked files with one of these suffixes, build products never among them."""
    return [path for path in tracked() if path.suffix in suffixes]


def relative(path: Path) -> str:
    """The path as a reader of the repository knows it."""
    return path.relative_to(ROOT).as_posix()


def is_test(path: Path) -> bool:
    """Whether a file is a test or belongs to one."""
    parts = path.relative_to(ROOT).parts
    return "tests" in parts or path.name in {"tests.rs", "conftest.py"} or "testkit" in parts
