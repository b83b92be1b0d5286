"""Arrows point down only: `.importlinter` for Python, the table below for crates."""

import configparser
import json
import os
import subprocess
import sys

import pytest

from .tree import ROOT, SERVER, relative, sources

# What a crate may import of ours. testkit is a dev-dependency and may be used by all.
CRATES: dict[str, set[str]] = {
    "sys": set(),
    "link": set(),
    "authority": {"policy"},
    "policy": set(),
    "credential": {"policy"},
    "dial": {"policy"},
    "journal": {"link"},
    "cell": {"sys", "link"},
    "proxy": {"sys", "policy", "credential", "authority", "dial", "journal", "link"},
    "dataplane": {"sys", "cell", "proxy", "policy", "credential", "authority", "dial", "journal", "link"},
    "testkit": {"policy", "link"},
}
# What the pure crate may not know: a clock, a socket, a runtime.
IMPURE = {"tokio", "hyper", "rustls", "mio", "socket2", "jiff", "tracing"}


def test_the_python_laws_hold():
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--config", ".importlinter", "--no-cache"]
    ran = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, env=_paths())
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_python_package_has_a_law():
    laws = configparser.ConfigParser()
    laws.read(ROOT / ".importlinter")
    held = {section.rpartition(":")[2] for section in laws.sections()}
    packages = {path.stem for path in SERVER.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert packages - {"__init__", "__main__", "main", "testing"} <= held


def test_crates_import_only_what_the_table_says():
    found = {name: ours for name, (ours, _) in _crates().items()}
    assert {name: sorted(ours - CRATES[name]) for name, ours in found.items()} == {name: [] for name in found}


def test_every_crate_has_a_law():
    assert set(_crates()) <= set(CRATES)


def test_the_policy_crate_is_pure():
    _, foreign = _crates()["policy"]
    assert not foreign & IMPURE


def test_mains_are_imported_by_nobody():
    importing = [
        relative(path)
        for path in sources(".py")
        if path.is_relative_to(SERVER) and ("openmiosa_server.main import" in path.read_text() or "from .main import" in path.read_text())
    ]
    assert importing == []


@pytest.mark.parametrize("crate", ["cell", "proxy"])
def test_the_two_programs_share_no_code_but_the_link_and_system_calls(crate: str):
    ours, _ = _crates()[crate]
    other = _crates()["proxy" if crate == "cell" else "cell"][0]
    assert ours & other <= {"link", "sys"}


def _crates() -> dict[str, tuple[set[str], set[str]]]:
    asked = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"]
    metadata = json.loads(subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    crates = {}
    for package in metadata["packages"]:
        names = {dependency["name"] for dependency in package["dependencies"] if dependency["kind"] != "dev"}
        ours = {name.removeprefix("openmiosa-") for name in names if name.startswith("openmiosa-")}
        crates[package["name"].removeprefix("openmiosa-")] = (ours, {name for name in names if not name.startswith("openmiosa-")})
    return crates


def _paths() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'server/src'}:{ROOT / 'sdks/python/src'}"}
