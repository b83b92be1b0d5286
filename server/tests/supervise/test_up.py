"""What `openmiosa up` leaves lying about, and what it hands to its children, on the real system."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from openmiosa_server.supervise.programs import binary
from openmiosa_server.testing import System

PASSWORD = "postgresql://user:the-operators-password@db.test/openmiosa"


PROGRAMS = ("egressd", "cell")


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs behind scripts that note the environment they were given, since the programs themselves are closed to their own user."""
    folder = tmp_path_factory.mktemp("noted")
    folder.chmod(0o777)  # started by root, egressd writes its note under a user of its own
    for above in folder.parents[:2]:
        above.chmod(0o711)
    for name in PROGRAMS:
        script = folder / name
        script.write_text(f'#!/bin/sh\n/usr/bin/env > "{folder}/{name}.env"\nexec "{binary(name)}" "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def system(noted: Path) -> Iterator[System]:
    """Started by an operator whose environment holds passwords."""
    before = dict(os.environ)
    os.environ |= {"VAULT_TOKEN": PASSWORD, "OPENMIOSA_OAUTH__PROVIDERS__GITHUB__CLIENT_SECRET": PASSWORD, "OPENMIOSA_BIN_DIR": str(noted)}
    try:
        with System() as running:
            yield running
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_that_meet_hostile_bytes_do_not_get_the_operators_variables(system: System, noted: Path, program: str) -> None:
    given = (noted / f"{program}.env").read_text()
    assert "PATH=" in given
    assert PASSWORD not in given


def test_nothing_is_written_where_the_gateways_own_user_may_make_links(system: System) -> None:
    assert [path.name for path in system.places.run.iterdir() if not stat.S_ISSOCK(path.lstat().st_mode)] == []


def test_the_state_folder_shows_the_gateway_its_own_files_alone(system: System) -> None:
    readable = {path.name for path in system.places.state.iterdir() if path.is_file() and path.stat().st_mode & 0o004}
    assert readable - {"up.log", "contexts.json", "up.json"} <= {"egressd.toml", "extra-ca.pem"}


def test_the_first_key_is_handed_over_and_gone(system: System) -> None:
    assert not system.places.bootstrap_key.exists()
    assert json.loads(system.contexts.read_text())["contexts"]["local"]["api_key"] == system.api_key
    assert stat.S_IMODE(system.contexts.stat().st_mode) == 0o600
