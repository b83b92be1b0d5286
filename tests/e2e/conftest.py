"""Worlds of their own for tests that break the shared one or need another configuration."""

from collections.abc import Iterator

import pytest

from ..kit.names import Names
from ..kit.system import World
from ..kit.system import world as make_world
from ..kit.upstreams import Internet


@pytest.fixture(scope="module")
def own_world(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """A system that a module may kill parts of."""
    with make_world(*surrounding) as made:
        yield made


@pytest.fixture(scope="module")
def static_world(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """A system whose operator has set a static host."""
    with make_world(*surrounding, static_hosts={"static.test:443": "127.0.0.1:8443"}) as made:
        yield made
