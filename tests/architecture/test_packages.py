"""What is installed, what is locked and what is shipped name the same packages."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def names(lines: list[str]) -> set[str]:
    """Package names at the beginning of lines, spelled as registries do."""
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def lines(path: str) -> list[str]:
    return (ROOT / path).read_text().splitlines()


def shipped(project: str) -> set[str]:
    return names(tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]["dependencies"])


@pytest.mark.parametrize("source", ["requirements/dev.in", "requirements/server.in"])
def test_whatever_is_asked_for_is_locked(source: str) -> None:
    assert names(lines(source)) <= names(lines("requirements/dev.lock"))


def test_what_the_server_ships_with_is_what_it_is_developed_with() -> None:
    assert shipped("server") - {"openmiosa"} <= names(lines("requirements/server.in"))


def test_what_the_client_ships_with_is_what_it_is_developed_with() -> None:
    assert shipped("sdks/python") <= names([*lines("requirements/server.in"), *lines("requirements/dev.in")])


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    text = (ROOT / "requirements/dev.lock").read_text()
    packages = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert len(packages) == len(re.findall(r"^[a-z0-9].*(?=\\\n +--hash=sha256:)", text, re.MULTILINE))
    assert "://" not in text
