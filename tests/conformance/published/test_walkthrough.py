"""The seven steps and the rotation, by the client that we did not write."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .drive import Loop, connected
from .stage import Stage
from .walk import Walk

STEPS = [
    "1 configure",
    "2 create",
    "3 store a key",
    "4 connect an account",
    "5 run the agent",
    "6 watch",
    "7 lock down",
    "bonus: rotate",
]


@pytest.fixture(scope="module")
def walk(kind: str, stage: Stage, loop: Loop) -> Iterator[Walk]:
    """One walk for each client, with nothing but two environment variables."""
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIOSA_API_KEY", stage.api_key)
        patch.setenv("MIOSA_BASE_URL", stage.base_url)

        def connect() -> Any:
            return opened.enter_context(connected(kind, loop))

        made = Walk(kind, connect, stage)
        yield made
        made.end()


@pytest.mark.parametrize("step", [pytest.param(step, marks=pytest.mark.step(step)) for step in STEPS])
def test_the_published_client_takes_the_step(walk: Walk, step: str):
    walk.take(step)
