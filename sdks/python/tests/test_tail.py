"""The tail: every event once, whatever happens to the connection."""

import itertools
import threading

import pytest
from openmiosa import AsyncMiosa, AuthenticationError, NotFoundError, UnavailableError

EVENTS, AUDIT = "/sandboxes/sbx_1/audit/stream", "/egress/audit"
LIVES = '{"id": "evt_0", "type": "sandbox.started"}'
OPEN = ": open\n\n"


def take(tail, count):
    return [event.id for event in itertools.islice(tail, count)]


def seen_after(server):
    return [one.query.get("after") for one in server.requests("GET", EVENTS)]


@pytest.fixture
def history(server):
    """One event before the tail begins."""
    server.answers("GET", AUDIT, {"events": [{"id": "evt_1", "action": "allow"}], "next_cursor": None})


def test_it_starts_after_the_newest_event(server, sandbox, history, event_frame):
    server.streams("GET", EVENTS, OPEN, event_frame(2))
    assert take(sandbox.audit.tail(), 1) == ["evt_2"]
    assert seen_after(server) == ["evt_1"]


def test_entering_it_fixes_where_it_starts(server, sandbox, history, event_frame):
    server.streams("GET", EVENTS, OPEN, event_frame(2))
    with sandbox.audit.tail() as tail:
        server.answers("GET", AUDIT, {"events": [{"id": "evt_9", "action": "allow"}]})
        assert take(tail, 1) == ["evt_2"]
    assert seen_after(server) == ["evt_1"]


def test_it_starts_where_it_is_told(server, sandbox, event_frame):
    server.streams("GET", EVENTS, OPEN, event_frame(8))
    assert take(sandbox.audit.tail(after="evt_7"), 1) == ["evt_8"]
    assert seen_after(server) == ["evt_7"]


def test_it_goes_on_where_the_connection_broke(server, sandbox, history, event_frame):
    first = server.sse(OPEN, event_frame(2), event_frame(3), drop=True)
    server.on("GET", EVENTS, first, server.sse(OPEN, event_frame(4)))
    assert take(sandbox.audit.tail(), 3) == ["evt_2", "evt_3", "evt_4"]
    assert seen_after(server) == ["evt_1", "evt_3"]


def test_what_comes_twice_is_given_once(server, sandbox, history, event_frame):
    server.on("GET", EVENTS, server.sse(OPEN, event_frame(2), drop=True), server.sse(OPEN, event_frame(2), event_frame(2), event_frame(3)))
    assert take(sandbox.audit.tail(), 2) == ["evt_2", "evt_3"]


def test_a_stream_that_ends_well_is_opened_again(server, sandbox, history, event_frame):
    server.on("GET", EVENTS, server.sse(OPEN, event_frame(2)), server.sse(OPEN, event_frame(3)))
    assert take(sandbox.audit.tail(), 2) == ["evt_2", "evt_3"]


def test_it_survives_a_server_that_is_away(server, sandbox, history, event_frame):
    server.streams("GET", EVENTS, OPEN, event_frame(2), threading.Event())
    tail = sandbox.audit.tail()
    assert take(tail, 1) == ["evt_2"]
    server.stop()
    server.streams("GET", EVENTS, OPEN, event_frame(3))
    threading.Timer(0.1, server.restart).start()
    assert take(tail, 1) == ["evt_3"]
    assert seen_after(server) == ["evt_1", "evt_2"]


def test_without_history_nothing_falls_between(server, sandbox, event_frame):
    empty, later = {"events": []}, {"events": [{"id": "evt_1", "action": "allow"}, {"id": "evt_2", "action": "allow"}]}
    server.on("GET", AUDIT, server.reply(200, empty), server.reply(200, later))
    server.streams("GET", EVENTS, OPEN, event_frame(2), event_frame(3))
    assert take(sandbox.audit.tail(), 3) == ["evt_1", "evt_2", "evt_3"]


def test_what_is_no_call_is_passed_over(server, sandbox, history, event_frame):
    server.streams("GET", EVENTS, OPEN, f"event: sandbox.started\ndata: {LIVES}\n\n", "data: {broken\n\n", event_frame(2))
    assert take(sandbox.audit.tail(), 1) == ["evt_2"]


def test_frames_cut_anywhere_are_put_together(server, sandbox, history, event_frame):
    frame = event_frame(2, path="/é".encode().decode("latin-1")).replace("\n", "\r\n")
    server.streams("GET", EVENTS, *[letter.encode() for letter in frame])
    assert take(sandbox.audit.tail(), 1) == ["evt_2"]


def test_a_stream_error_that_may_pass_is_outlived(server, sandbox, history, event_frame):
    passing = 'event: error\ndata: {"type": "error", "code": "UNAVAILABLE", "message": "draining", "retry": true}\n\n'
    server.on("GET", EVENTS, server.sse(OPEN, passing), server.sse(OPEN, event_frame(2)))
    assert take(sandbox.audit.tail(), 1) == ["evt_2"]


def test_it_ends_with_its_sandbox(server, sandbox, history, event_frame):
    server.on("GET", EVENTS, server.sse(OPEN, event_frame(2)), server.reply(404, {"error": {"code": "NOT_FOUND", "message": "gone"}}))
    assert [event.id for event in sandbox.audit.tail()] == ["evt_2"]


def test_a_sandbox_that_never_was_is_not_found(server, sandbox, history):
    with pytest.raises(NotFoundError):
        next(sandbox.audit.tail())


def test_a_revoked_key_ends_it_with_the_reason(server, sandbox, history, event_frame):
    refused = server.reply(401, {"error": {"code": "UNAUTHENTICATED", "message": "revoked"}})
    server.on("GET", EVENTS, server.sse(OPEN, event_frame(2)), refused)
    tail = sandbox.audit.tail()
    assert next(tail).id == "evt_2"
    with pytest.raises(AuthenticationError, match="revoked"):
        next(tail)


def test_it_gives_up_after_so_long(server, sandbox, history, event_frame):
    busy = server.reply(503, {"error": {"code": "UNAVAILABLE", "message": "no database", "retry": True}})
    server.on("GET", EVENTS, server.sse(OPEN, event_frame(2)), busy)
    tail = sandbox.audit.tail(reconnect_timeout=0.05)
    assert next(tail).id == "evt_2"
    with pytest.raises(UnavailableError):
        next(tail)


def test_the_tenants_tail_has_its_own_stream(server, client, history, event_frame):
    server.streams("GET", "/events/stream", OPEN, event_frame(2))
    assert take(client.audit.tail(), 1) == ["evt_2"]


@pytest.mark.anyio
async def test_an_asynchronous_tail_goes_on_as_well(server, sandbox, history, event_frame):
    server.on("GET", EVENTS, server.sse(OPEN, event_frame(2), drop=True), server.sse(OPEN, event_frame(3)))
    async with AsyncMiosa("msk_x", server.url) as client:
        box = await client.sandboxes.get("sbx_1")
        got = []
        async with box.audit.tail() as tail:
            async for event in tail:
                got.append(str(event))
                if len(got) == 2:
                    break
    assert got == ["[audit] allow api.openai.com HTTP 200 secrets=none"] * 2
    assert seen_after(server) == ["evt_1", "evt_2"]
