"""Every public thing says in a sentence what it is."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from .test_budgets import product
from .tree import ROOT, relative

PYTHON = ("server/src/", "sdks/python/src/", "examples/", "tools/", "bench/", "tests/kit/")


def test_every_public_python_thing_has_a_docstring():
    bare = [said for path in product(".py") if relative(path).startswith(PYTHON) for said in _bare(path)]
    assert bare == []


def test_the_compiler_warns_of_undocumented_rust():
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())
    assert workspace["workspace"]["lints"]["rust"]["missing_docs"] in {"warn", "deny"}
    for manifest in (ROOT / "crates").glob("*/Cargo.toml"):
        crate = tomllib.loads(manifest.read_text())
        assert crate.get("lints", {}).get("workspace") or "missing_docs" in crate["lints"]["rust"], relative(manifest)


def _bare(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    if not ast.get_docstring(tree) and tree.body and path.name != "__init__.py":
        yield f"{relative(path)}: the file"
    for node in tree.body:
        yield from _bare_node(node, relative(path))


def _bare_node(node: ast.stmt, where: str) -> Iterator[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return
    overloaded = any(isinstance(mark, ast.Name) and mark.id in {"overload", "override"} for mark in node.decorator_list)
    if not ast.get_docstring(node) and not overloaded:
        yield f"{where}:{node.lineno} {node.name}"
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            yield from _bare_node(inner, where)
