"""One world for all rows; a row is judged by the oracle after its test, whatever the test asserts."""

import os
from collections.abc import Iterator

import pytest

from .kit import rig
from .kit.names import Names
from .kit.oracle import Row
from .kit.system import World, surroundings
from .kit.system import world as make_world
from .kit.upstreams import Internet

# An ordinary user needs a user namespace for the rig, and the kernel gives none to a process with threads, so it has to be now.
if os.geteuid() != 0:
    rig.enter()


@pytest.fixture(scope="session")
def surrounding() -> Iterator[tuple[Internet, Names]]:
    """The rig: from here on this process lives in a network namespace of its own."""
    with surroundings() as made:
        yield made


@pytest.fixture(scope="session")
def world(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """The system, shared by all tests that do not break it."""
    with make_world(*surrounding) as made:
        made.add_tenant()
        yield made


@pytest.fixture
def row(world: World, request: pytest.FixtureRequest) -> Iterator[Row]:
    """An attempt in `mode` (parametrised, else audit_only), judged when the test's own assertions hold."""
    made = Row(world, getattr(request, "param", "audit_only"))
    try:
        yield made
        made.judge()
    finally:
        made.close()
