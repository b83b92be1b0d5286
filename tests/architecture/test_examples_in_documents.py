"""What the pages tell people to type exists."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

from .tree import ROOT

# The reference is made from what there is, and decisions tell of their day.
WRITTEN = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name not in ("reference", "decisions")]
PAGES = ["README.md", "SECURITY.md", "crates/link/src/reason.rs", *(path.relative_to(ROOT).as_posix() for path in WRITTEN)]
GROUPS = "audit|context|keys|network|sandbox|secrets|template"


def commands() -> list[str]:
    """Every `openmiosa …` command that a page or a remedy names."""
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    return sorted(set(re.findall(rf"openmiosa ((?:{GROUPS}) [a-z]+|up|config|connect|doctor|host|run)\b", text)))


@pytest.mark.parametrize("command", commands())
def test_the_command_exists(command: str):
    ran = subprocess.run(
        [sys.executable, "-m", "openmiosa.cli", *command.split(), "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": f"{ROOT / 'sdks/python/src'}:{ROOT / 'server/src'}", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )
    assert ran.returncode == 0, ran.stderr


def test_the_options_that_pages_name_exist():
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    for command, option in set(re.findall(rf"openmiosa ((?:{GROUPS}) [a-z]+)(?:(?! -- )[^`\n\"'])*? (--[a-z-]+)", text)):
        ran = subprocess.run(
            [sys.executable, "-m", "openmiosa.cli", *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert option in ran.stdout, f"{command} {option}"


def test_the_readmes_program_uses_methods_that_exist():
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    calls = [node.func for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    # `sandbox.secrets.set` is the method `set` of a class in `_sync/secrets.py`, and so on.
    nested = {(call.value.attr, call.attr) for call in calls if isinstance(call.value, ast.Attribute)}
    assert ("secrets", "rotate") in nested
    for noun, method in nested:
        kinds = vars(importlib.import_module(f"openmiosa._sync.{noun}")).values()
        assert any(hasattr(kind, method) for kind in kinds if isinstance(kind, type)), f"{noun}.{method}"
