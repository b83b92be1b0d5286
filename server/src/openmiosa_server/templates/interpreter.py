"""Find the Python that a sandbox will see, or make a relocatable copy of this one."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

# The PATH inside a sandbox; only what lies under /usr is there, whatever the operator's own PATH says.
SANDBOX_PATH = ("/usr/local/bin", "/usr/bin")

# First on the PATH inside; a sandbox's own folder, so what stands there is that sandbox's to change.
OWN_PROGRAMS = "/home/agent/.local/bin"

_QUESTION = """
import json, site, sys
print(json.dumps({"version": list(sys.version_info[:3]), "sites": site.getsitepackages()}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python under /usr: its path, version and the site folder (under /usr) that it reads without any variable set."""

    path: Path
    version: tuple[int, int, int]
    site: Path


def find() -> Interpreter | None:
    """The `python3` that a sandbox's PATH finds under the host's /usr, or None."""
    found = _python3()
    return None if found is None else ask(found)


def aliases() -> dict[str, bytes]:
    """Programs that a new sandbox is given: `python`, where the host knows it as `python3` alone, as Debian does."""
    found = _python3()
    if found is None or any(Path(folder, "python").exists() for folder in SANDBOX_PATH):
        return {}
    return {f"{OWN_PROGRAMS}/python": f'#!/bin/sh\nexec {found} "$@"\n'.encode()}


def _python3() -> Path | None:
    for folder in SANDBOX_PATH:
        candidate = Path(folder, "python3")
        if candidate.exists() and Path("/usr") in candidate.resolve().parents:
            return candidate
    return None


def ask(path: Path) -> Interpreter | None:
    """Ask an interpreter for its version and site folder, with an empty environment as a sandbox's `env -i` would."""
    answer = subprocess.run([str(path), "-c", _QUESTION], env={}, cwd="/", capture_output=True, text=True, timeout=30, check=False)
    if answer.returncode != 0:
        return None
    facts = json.loads(answer.stdout)
    sites = [Path(site) for site in facts["sites"] if Path("/usr") in Path(site).parents]
    if not sites:
        return None
    return Interpreter(path, tuple(facts["version"]), sites[0])


def copy_into(layer: Path) -> Interpreter:
    """Copy the running interpreter and its standard library to `<layer>/local`, which a sandbox sees as /usr/local.

    CPython finds its prefix from where its binary stands, so the copy works there; a shared libpython goes to /usr/lib,
    which every loader searches.
    """
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = layer / "local"
    (target / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy2(Path(sys.executable).resolve(), target / "bin" / name)
    for alias in ("python3", "python"):
        (target / "bin" / alias).symlink_to(name)
    leave_out = shutil.ignore_patterns("site-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "config-*")
    shutil.copytree(base / "lib" / name, target / "lib" / name, ignore=leave_out, symlinks=True, dirs_exist_ok=True)
    site = Path("/usr/local/lib", name, "site-packages")
    (target / "lib" / name / "site-packages").mkdir(exist_ok=True)
    library = sysconfig.get_config_var("INSTSONAME") if sysconfig.get_config_var("Py_ENABLE_SHARED") else None
    if library:
        (layer / "lib").mkdir(exist_ok=True)
        shutil.copy2(Path(sysconfig.get_config_var("LIBDIR"), library), layer / "lib" / library)
    return Interpreter(Path(os.path.realpath(sys.executable)), sys.version_info[:3], site)
