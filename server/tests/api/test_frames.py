"""Messages over a WebSocket that mean nothing."""

from typing import Any, cast

import pytest
from openmiosa_server.api import computer_sockets
from openmiosa_server.api.dialects import control, size
from openmiosa_server.errors import Invalid

pytestmark = pytest.mark.anyio

NOBODY = cast(Any, None)  # what a message that means nothing reaches


@pytest.mark.parametrize("text", ["{", "[]", '"resize"', "[" * 100_000])
async def test_a_frame_that_means_nothing_is_refused_and_not_a_surprise(text: str) -> None:
    with pytest.raises(Invalid):
        await control(NOBODY, NOBODY, text)


@pytest.mark.parametrize("text", ["{", "NAME", '{"a":' * 100_000])
def test_an_environment_that_cannot_be_read_is_refused_and_not_a_surprise(text: str) -> None:
    with pytest.raises(Invalid):
        computer_sockets._environment([text])


@pytest.mark.parametrize("rows", [float("inf"), float("nan"), "many", None, 0, 100_000])
def test_a_size_that_is_none_is_refused_and_not_a_surprise(rows: Any) -> None:
    with pytest.raises(Invalid):
        size(rows, 80)
