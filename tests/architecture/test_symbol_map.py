"""Each step of the two walks in ARCHITECTURE.md is where the page says."""

import re

import pytest

from .tree import ROOT

ROW = re.compile(r"^\| (\d+) \| `(\w+)` \| `([^`]+)` \|", re.MULTILINE)
STEPS = ROW.findall((ROOT / "ARCHITECTURE.md").read_text())


@pytest.mark.parametrize(("number", "symbol", "file"), STEPS, ids=[f"{file}:{symbol}" for _, symbol, file in STEPS])
def test_the_step_is_where_the_page_says(number: str, symbol: str, file: str):
    path = ROOT / file
    assert path.is_file(), f"step {number}: {file} is not there"
    assert re.search(rf"\b(?:fn|def|class|struct|enum) {symbol}\b", path.read_text()), f"step {number}: {symbol} is not in {file}"


def test_both_walks_are_numbered_without_gaps():
    numbers = [int(number) for number, _, _ in STEPS]
    second = numbers.index(1, 1)
    assert numbers[:second] == list(range(1, second + 1))
    assert numbers[second:] == list(range(1, len(numbers) - second + 1))


def test_the_page_names_every_crate_and_top_folder():
    page = (ROOT / "ARCHITECTURE.md").read_text()
    crates = [path.name for path in (ROOT / "crates").iterdir() if (path / "Cargo.toml").exists()]
    folders = [folder for folder in ("contracts", "server", "sdks", "examples", "tools", "tests", "bench") if (ROOT / folder).is_dir()]
    missing = [name for name in crates if f"`crates/{name}`" not in page] + [name for name in folders if f"`{name}/" not in page]
    assert missing == []
