"""Build a template: a layer above /usr with pip packages for the interpreter that a sandbox sees."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import Conflict, Invalid, Unavailable
from . import interpreter
from .store import RESERVED, Template, TemplateStore

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
# A requirement as pip takes it by name; options, paths and addresses are not packages.
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?\s*([<>=!~]=?[^;@/\\]*)?")


def build(store: TemplateStore, name: str, packages: list[str], *, replace: bool = False) -> Template:
    """Install `packages` (binary wheels only, so that nothing of theirs runs here) and keep the result as template `name`."""
    _check(store, name, packages, replace)
    draft = store.draft(name)
    try:
        layer = draft / "layer"
        layer.mkdir(parents=True)
        below = store.base_layers()
        seen = interpreter.find()
        if seen is None:
            seen = store.copied_interpreter()
        if packages:
            _install(seen, layer / seen.site.relative_to("/usr"), packages)
        _readable(layer)
        return store.keep(name, draft, packages=packages, python=".".join(map(str, seen.version)), below=below)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check(store: TemplateStore, name: str, packages: list[str], replace: bool) -> None:
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise Invalid(
            f"'{name[:80]}' cannot name a template: use 1 to 63 of a-z, 0-9, '.', '_', '-', beginning with a letter or digit, "
            f"and none of {', '.join(RESERVED)}.",
            code="INVALID_TEMPLATE_NAME",
        )
    if store.exists(name) and not replace:
        raise Conflict(f"Template '{name}' exists. Give --replace to build it anew, or take another name.", code="TEMPLATE_EXISTS")
    for package in packages:
        if not _PACKAGE.fullmatch(package.strip()):
            raise Invalid(
                f"'{package[:80]}' is not a package name with an optional version, such as 'requests' or 'openai==3.54.0'.",
                code="INVALID_PACKAGE",
            )


def _install(python: interpreter.Interpreter, target: Path, packages: list[str]) -> None:
    target.mkdir(parents=True)
    command = [*_installer(python.path), "--target", str(target), "--only-binary", ":all:", *packages]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise Unavailable(
            f"The packages could not be installed (the package index or a name is at fault); nothing was kept.\n{said}",
            code="PACKAGES_NOT_INSTALLED",
        )


def _installer(python: Path) -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--quiet", "--no-input"]
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python), "--compile-bytecode"]
    raise Unavailable(
        "Neither pip nor uv is to be found beside this Python. Install one of them: python -m ensurepip.", code="NO_INSTALLER"
    )


def _readable(layer: Path) -> None:
    """The agent reads the layer under an id of its own, so everything is readable for all."""
    for folder, _, files in os.walk(layer):
        os.chmod(folder, 0o755)  # noqa: S103 — it holds public packages and nothing else
        for file in files:
            path = os.path.join(folder, file)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o444)
