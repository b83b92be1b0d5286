"""pytest's fixtures: `miosa_server`, `miosa` and `miosa_sandbox`. Nothing starts, and next to nothing is imported, until one is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from openmiosa import Miosa, Sandbox
    from openmiosa.testing import LocalServer


@pytest.fixture(scope="session")
def miosa_settings() -> dict[str, Any] | None:
    """Settings of the server, as in `openmiosa.toml`; define a fixture of this name to give it some."""
    return None


@pytest.fixture(scope="session")
def miosa_server(miosa_settings: dict[str, Any] | None) -> "Iterator[LocalServer]":
    """The real system, started for this session of tests and gone after it."""
    from openmiosa.testing import LocalServer, LocalServerError

    server, why = LocalServer(miosa_settings), ""
    try:
        server.start()
    except LocalServerError as error:
        why = str(error)
    if why:
        # A test that wants the real system and cannot have it has failed, and says why without a traceback of ours.
        pytest.fail(why, pytrace=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def miosa(miosa_server: "LocalServer") -> "Iterator[Miosa]":
    """A client of that system with its admin key."""
    with miosa_server.client() as client:
        yield client


@pytest.fixture
def miosa_sandbox(miosa: "Miosa") -> "Iterator[Sandbox]":
    """A sandbox of this test's own, destroyed after it."""
    with miosa.sandboxes.create() as sandbox:
        yield sandbox
