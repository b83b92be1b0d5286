"""One world for all pages."""

from collections.abc import Iterator

import pytest

from ..kit.names import Names
from ..kit.upstreams import Internet
from .place import Place
from .place import place as make_place


@pytest.fixture(scope="session")
def place(surrounding: tuple[Internet, Names], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The system, the stand-ins and Acme."""
    with make_place(*surrounding, tmp_path_factory.mktemp("place")) as made:
        yield made
