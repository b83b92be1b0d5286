"""Both published clients on one stage; and the table at the end of the run."""

import dataclasses
import importlib.metadata
from collections.abc import Iterator
from typing import Any

import pytest

from ...kit.names import Names
from ...kit.upstreams import Internet
from .drive import Loop, connected
from .ledger import Ledger, Line
from .stage import Stage
from .stage import stage as make_stage

KINDS = ("sync", "async")
# The rows of section 19 that this client has no method for; raw requests and the Go client drive them.
ELSEWHERE = "rows it has no method for: 11 (oauth/status), 14 (a fallback), 25 (audit/stream), 26 (the audit WebSocket), 30 (no policy id)"
LEDGER = pytest.StashKey[Ledger]()
MARKS = {
    "step(name)": "a step of the walkthrough",
    "method(row, name)": "a method of the client, and the row of the wire contract's section 19 that it needs",
    "further(name)": "a method beyond the contract's minimum",
    "replaced(name, replacement)": "what the client cannot do, and the call that does it",
    "shape(row, name)": "a request as the TypeScript client shapes it",
}


def pytest_configure(config: pytest.Config) -> None:
    """Announce the marks."""
    config.stash[LEDGER] = Ledger(KINDS, [ELSEWHERE])
    for mark, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")
    config.pluginmanager.register(Reporter(config), "published-client-ledger")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its line of the table."""
    for item in items:
        for mark in item.iter_markers():
            if any(mark.name == known.partition("(")[0] for known in MARKS):
                # Plain values: a report may have to travel from another process.
                item.user_properties.append(("published", dataclasses.astuple(_line(item, mark))))


class Reporter:
    """Counts reports and prints the table."""

    def __init__(self, config: pytest.Config) -> None:
        self.ledger = config.stash[LEDGER]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every stage of every test."""
        self.ledger.note(report.nodeid, report.user_properties, report.passed)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """After the last test."""
        if table := self.ledger.table():
            terminalreporter.section(f"published client: miosa {importlib.metadata.version('miosa')}")
            for line in table:
                terminalreporter.line(line)


def _line(item: pytest.Item, mark: pytest.Mark) -> Line:
    kind = (getattr(item, "callspec", None) and item.callspec.params.get("kind", "")) or ""
    if mark.name in ("method", "shape"):
        row, name = mark.args
        return Line(mark.name, name, str(row), kind)
    if mark.name == "replaced":
        name, replacement = mark.args
        return Line(mark.name, name, kind=kind, replacement=replacement)
    return Line(mark.name, mark.args[0], kind=kind)


@pytest.fixture(scope="session")
def internet(surrounding: tuple[Internet, Names]) -> Internet:
    """The rig's Internet: hosts that are no stand-in's."""
    made, names = surrounding
    names.set("idp.test", ["11.4.0.1"])
    names.set("api.idp.test", ["11.4.0.2"])
    return made


@pytest.fixture(scope="session")
def stage(internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The system and its services, started once for all tests of this folder, in the rig's network namespace."""
    authority = tmp_path_factory.mktemp("rig") / "authority.pem"
    authority.write_bytes(internet.authority.pem)
    with make_stage(authority) as made:
        yield made


@pytest.fixture(scope="session")
def loop(stage: Stage) -> Iterator[Loop]:
    """Where the async client lives; its thread must begin in the rig's namespace, so after the stage."""
    made = Loop()
    yield made
    made.stop()


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two clients."""
    return str(request.param)


@pytest.fixture(scope="session")
def client(kind: str, stage: Stage, loop: Loop) -> Iterator[Any]:
    """`miosa.Miosa`, or `miosa.AsyncMiosa` driven the same way, with the admin key."""
    with connected(kind, loop, api_key=stage.api_key, base_url=stage.base_url) as made:
        yield made


@pytest.fixture(scope="session")
def box(client: Any, kind: str) -> Iterator[Any]:
    """A sandbox for everything that leaves it as it was."""
    made = client.sandboxes.create(name=f"shared-{kind}")
    yield made
    made.destroy()


@pytest.fixture
def own(client: Any, kind: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A sandbox that a test may change."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40]
    made = client.sandboxes.create(name=f"{name}-{kind}")
    yield made
    if made.state != "destroyed":
        made.destroy()
