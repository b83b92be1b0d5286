"""The reference is what the sources say today."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tools.docs import api, errors, regions, transcript
from tools.docs.__main__ import REFERENCE, made

from . import blocks
from .place import PAGES, ROOT


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    return made()


def test_no_made_page_is_out_of_date(pages: dict[Path, str]):
    stale = [path.relative_to(ROOT).as_posix() for path, text in pages.items() if not path.exists() or path.read_text() != text]
    assert stale == [], "`make docs` writes them anew"


def test_every_page_of_the_reference_is_made(pages: dict[Path, str]):
    assert {path.name for path in (PAGES / "reference").glob("*.md")} == set(REFERENCE)
    assert all(len(pages[PAGES / "reference" / name].splitlines()) > 50 for name in REFERENCE)


def test_every_code_that_the_server_answers_is_explained_and_no_other():
    assert errors.described() == set(errors.codes(ROOT))


def test_every_operation_stands_on_the_page_of_the_api(pages: dict[Path, str]):
    page = pages[PAGES / "reference/api.md"]
    operations = [name for name in api.operations(ROOT) if f"`{name}`" not in page]
    assert len(api.operations(ROOT)) > 80
    assert operations == []


def test_the_python_of_the_reference_is_python():
    found = [block for block in blocks.of(PAGES / "reference/python.md") if block.kind == "python"]
    assert len(found) > 80
    for block in found:
        ast.parse(block.text)


def test_the_python_of_the_reference_has_types_that_exist(tmp_path: Path):
    stub = tmp_path / "reference.pyi"
    stub.write_text("\n".join([_IMPORTS, *_classes((PAGES / "reference/python.md").read_text())]))
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            "",
            "--python-version",
            "3.11",
            "--cache-dir",
            str(ROOT / ".mypy_cache/docs"),
            str(stub),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT / "sdks/python/src")},
    )
    assert ran.returncode == 0, ran.stdout


# What the signatures name, as their sources import it.
_IMPORTS = """
import builtins, os
from builtins import list as _list
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import *
import httpx2
from openmiosa import *
from openmiosa.models import *
T = TypeVar("T")
"""


def _classes(page: str) -> list[str]:
    """The classes of the page as a stub."""
    made = re.findall(r"^[A-Z]\w+ = .+$", page, re.MULTILINE)
    for after in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        section = after.partition("\n## ")[0]
        inside = "\n".join(re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
        body = re.sub(r"^(def \w+\(\n?)", r"\1self, ", inside, flags=re.MULTILINE)
        made.append(f"class _{section.splitlines()[0]}:\n" + textwrap.indent(body or "...", "    "))
    return made


def test_a_region_loses_its_indent_and_the_marks_of_others():
    program = "def f():\n    # [one]\n    a = 1\n    # [two]\n    b = 2\n    # [/two]\n    # [/one]\n"
    assert regions.of(program) == {"one": "a = 1\nb = 2\n", "two": "b = 2\n"}


def test_a_region_that_is_not_there_is_an_error(tmp_path: Path):
    (tmp_path / "program.py").write_text("# [one]\na = 1\n# [/one]\n")
    page = "<!-- region program.py one -->\n```python\nold\n```\n"
    assert regions.filled(page, tmp_path) == "<!-- region program.py one -->\n```python\na = 1\n```\n"
    with pytest.raises(regions.NoRegion):
        regions.filled(page.replace("one", "two"), tmp_path)


@pytest.mark.parametrize("page", sorted((PAGES / "tutorial").glob("*.md")), ids=lambda page: page.stem)
def test_every_block_of_the_tutorial_is_of_the_program_or_what_it_prints(page: Path):
    marked = page.read_text().count("<!-- region ")
    kinds = [block.kind for block in blocks.of(page)]
    assert kinds.count(page.stem) == marked >= 8
    assert kinds.count("output") >= 8
    assert set(kinds) == {page.stem, "output"}


def test_an_output_that_nobody_printed_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("```output\nkey …, of tenant ten_…\nnever said\n```\n")
    assert transcript.not_printed(page, ["  key k1, of tenant ten_2\n"]) == ["never said"]


def test_what_replaces_the_calls_of_the_published_client_is_what_its_tests_drive():
    page = (PAGES / "guides/moving-from-miosa.md").read_text()
    tests = ast.parse((ROOT / "tests/conformance/published/test_replacements.py").read_text())
    marks = [mark for node in tests.body if isinstance(node, ast.FunctionDef) for mark in node.decorator_list if isinstance(mark, ast.Call)]
    pairs = [
        [ast.literal_eval(one) for one in mark.args] for mark in marks if isinstance(mark.func, ast.Name) and mark.func.id == "replaced"
    ]
    assert len(pairs) > 8
    assert [call for call, works in pairs if f"| `{call}` | `{works}` |" not in page] == []
