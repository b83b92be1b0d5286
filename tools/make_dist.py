"""Make both wheels: the client's by hatchling, the server's by maturin out of what Cargo has built already.

A wheel whose sources did not change is left alone.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("OPENMIOSA_BIN_DIR", ROOT / "target/release"))


def main() -> None:
    """Build what changed into the folder that the command line names."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    make(target, "openmiosa-0", [ROOT / "sdks/python"], hatchling, ROOT / "sdks/python")
    server = [ROOT / "server/src", ROOT / "server/pyproject.toml", BIN / "egressd", BIN / "cell"]
    maturin = [str(Path(sys.executable).with_name("maturin")), "build", "--release", "--quiet"]
    make(target, "openmiosa_server-0", server, [*maturin, "--out", str(target)], ROOT / "server")


def make(target: Path, prefix: str, sources: list[Path], command: list[str], folder: Path) -> None:
    """Run `command` unless the wheel of these very sources is there."""
    stamp, digest = target / f".{prefix}.sha256", digest_of(sources)
    wheels = list(target.glob(f"{prefix}*.whl"))
    if wheels and stamp.exists() and stamp.read_text() == digest:
        print(f"dist: {wheels[0].name} (unchanged)")
        return
    for wheel in wheels:
        wheel.unlink()
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"dist: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    print(f"dist: {next(target.glob(f'{prefix}*.whl')).name}")
    stamp.write_text(digest)


def digest_of(sources: list[Path]) -> str:
    """One hash over the content of files and folders."""
    total = hashlib.sha256()
    for source in sources:
        files = sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if source.is_dir() else [source]
        for file in files:
            total.update(str(file.relative_to(source.parent)).encode() + b"\0")
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


if __name__ == "__main__":
    main()
