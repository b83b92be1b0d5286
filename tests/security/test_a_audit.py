"""A: audit. Whoever vanishes early leaves a row with the furthest stage that was reached."""

import threading

import pytest

from ..kit.oracle import Row
from ..kit.system import MODES
from ..kit.upstreams import Response

ALL_MODES = pytest.mark.parametrize("row", MODES, indirect=True)
REQUEST = "GET /slow HTTP/1.1\r\nHost: ok.test\r\nAuthorization: Bearer $PH\r\n\r\n"


@ALL_MODES
def test_A_01_a_reset_after_connecting_leaves_a_row(row: Row):
    row.expect("ok.test", "client_cancel")
    row.probe("vanish", host="ok.test", port=443, stage="accepted")
    assert stage(row) == "accepted"


@ALL_MODES
def test_A_01_a_reset_after_the_hello_leaves_a_row(row: Row):
    row.expect("ok.test", "client_cancel")
    row.probe("vanish", host="ok.test", port=443, sni="ok.test", stage="hello")
    assert stage(row) == "hello"


@ALL_MODES
@pytest.mark.parametrize("how", ["request", "half-close"])
def test_A_01_a_reset_right_after_the_request_leaves_a_row(row: Row, how: str):
    hold = threading.Event()
    row.world.internet.answer("ok.test", lambda _: Response(hold=hold))
    row.expect("ok.test", "client_cancel", dialled=True)
    try:
        row.probe("vanish", host="ok.test", port=443, sni="ok.test", send=REQUEST, stage=how)
        assert stage(row) in ("hello", "request", "decided", "dialled", "sent")
    finally:
        hold.set()
        row.world.internet.answer("ok.test", lambda _: Response())


@ALL_MODES
def test_A_01_a_reset_while_the_host_thinks_leaves_a_row(row: Row):
    hold = threading.Event()
    row.world.internet.answer("ok.test", lambda _: Response(hold=hold))
    row.expect("ok.test", "client_cancel", dialled=True)
    try:
        row.start_probe("vanish", host="ok.test", port=443, sni="ok.test", send=REQUEST, stage="request", when="/workspace/now")
        row.world.wait(lambda: [seen for seen in row.world.internet.dialled(row.mark) if seen.requests], "the request")
        row.sandbox.files.write("/workspace/now", "")
        assert stage(row) == "sent"
    finally:
        hold.set()
        row.world.internet.answer("ok.test", lambda _: Response())


@ALL_MODES
def test_A_01_a_client_that_leaves_during_the_answer_leaves_its_end_too(row: Row):
    ended = threading.Event()

    async def endless():
        while not ended.is_set():
            yield b"x" * 1024

    row.world.internet.answer("ok.test", lambda _: Response(stream=endless))
    row.expect("ok.test", "allow")
    try:
        row.run('curl -s -m 10 -H "Authorization: Bearer $PH" https://ok.test/ | head -c 5000 | wc -c')
        row.world.wait(lambda: [event for event in row.decisions() if event.ended_as], "the outcome")
        (event,) = row.decisions()
        assert (event.status_code, event.ended_as) == (200, "client_cancel")
        assert event.bytes_in > 0
    finally:
        ended.set()
        row.world.internet.answer("ok.test", lambda _: Response())


def stage(row: Row) -> str:
    """The furthest stage of the row's one decision."""
    row.world.wait(row.decisions, "the row")
    (event,) = row.decisions()
    return event.metadata["stage"]
