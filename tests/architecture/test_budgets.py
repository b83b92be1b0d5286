"""Size budgets: a function aims at 30 lines and stops at 70, a file aims at 350 and stops at 700."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .tree import is_test, relative, sources

FUNCTION, FILE = 70, 700
# Generated files are as long as their source makes them, and a migration is one table after another.
GENERATED = ("sdks/python/src/openmiosa/_sync/", "server/src/openmiosa_server/db/migrations/versions/")
# Where a function starts in Rust or C: an indented or bare `fn`, or a C definition whose brace ends the line.
_WORDS = r"(?:pub(?:\([a-z: ]+\))? )?(?:const )?(?:async )?(?:unsafe )?(?:extern \"C\" )?"
RUST_FUNCTION = re.compile(rf"^(?P<indent>\s*){_WORDS}fn (?P<name>\w+)")
C_FUNCTION = re.compile(r"^(?P<indent>)[a-z_][\w \*]*?\b(?P<name>\w+)\([^;]*$")


def product(*suffixes: str) -> list[Path]:
    """Product files: no tests, nothing generated."""
    return [path for path in sources(*suffixes) if not is_test(path) and not relative(path).startswith(GENERATED)]


def test_no_file_is_longer_than_its_budget():
    long = {relative(path): lines for path in product(".py", ".rs", ".c") if (lines := _lines(path)) > FILE}
    assert long == {}


def test_no_python_function_is_longer_than_its_budget():
    assert [said for path in product(".py") for said in _long_python(path)] == []


def test_no_rust_or_c_function_is_longer_than_its_budget():
    assert [said for path in product(".rs", ".c") for said in _long_braced(path)] == []


def test_a_long_rust_function_is_seen(tmp_path: Path):
    body = "\n".join("    let _ = 1;" for _ in range(FUNCTION + 5))
    source = tmp_path / "long.rs"
    source.write_text(f"/// Too long.\npub async fn long() {{\n{body}\n}}\n")
    assert len(list(_long_braced(source))) == 1


def _lines(path: Path) -> int:
    text = path.read_text()
    # Rust keeps short unit tests in the file; they do not count.
    return len(text.split("\n#[cfg(test)]\nmod tests {")[0].splitlines())


def _long_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > FUNCTION:
            yield f"{relative(path)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"


def _long_braced(path: Path) -> Iterator[str]:
    pattern = C_FUNCTION if path.suffix == ".c" else RUST_FUNCTION
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if not (found := pattern.match(line)):
            continue
        # Formatted code closes a function with a brace at the indent that it was opened with.
        closing = found["indent"] + "}"
        end = next((index for index in range(number, len(lines)) if lines[index].rstrip() == closing), number)
        signature_only = any(text.rstrip().endswith(";") for text in lines[number : number + 1])
        if not signature_only and end - number + 1 > FUNCTION:
            yield f"{path.name}:{number + 1} {found['name']}: {end - number + 1} lines"
