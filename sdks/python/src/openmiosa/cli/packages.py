"""`run --pip`: packages are fetched here, by this machine's pip or uv, and sent in; the sandbox needs no way to an index."""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .._sync.sandboxes import Sandbox
from ..errors import MiosaError
from . import archive
from .options import UsageError

_QUESTION = """
import json, platform, site, sys
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "site": site.getusersitepackages(), "machine": platform.machine()}))
"""
# Wheels of these run on every Linux that the server supports, the newest first.
MANYLINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


def install(sandbox: Sandbox, packages: list[str], progress: archive.Progress) -> None:
    """Put packages where the sandbox's `python3` finds them without any variable set."""
    asked = sandbox.exec(["python3", "-c", _QUESTION])
    if not asked.ok:
        raise MiosaError(f"this sandbox has no python3 to install packages for: {asked.stderr.strip()}")
    python = json.loads(asked.stdout)
    with tempfile.TemporaryDirectory(prefix="openmiosa-pip-") as made:
        folder = Path(made)
        ran = subprocess.run(_command(python, folder, packages), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            said = "\n".join((ran.stderr or ran.stdout).strip().splitlines()[-8:])
            raise UsageError(f"the packages could not be fetched (a name, a version or the package index is at fault):\n{said}")
        # Scripts would name the interpreter of this machine.
        shutil.rmtree(folder / "bin", ignore_errors=True)
        archive.send(sandbox, folder, archive.everything(folder), python["site"], progress)


def _command(python: dict[str, Any], folder: Path, packages: list[str]) -> list[str]:
    wanted = [package for package in packages if not package.startswith("-")]
    if wanted != packages:
        raise UsageError("--pip takes names with versions if you like, such as requests or 'openai==3.54.0'")
    common = ["--target", str(folder), "--only-binary", ":all:", "--python-version", python["version"]]
    if importlib.util.find_spec("pip"):
        platforms = [word for kind in MANYLINUX for word in ("--platform", f"{kind}_{python['machine']}")]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
        return [*pip, *common, "--implementation", "cp", *platforms, *wanted]
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise UsageError("--pip needs pip or uv beside this Python: python -m ensurepip")
    return [uv, "pip", "install", "--quiet", *common, "--python-platform", f"{python['machine']}-{MANYLINUX[0]}", *wanted]
