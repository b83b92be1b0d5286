"""What docs/troubleshooting.md says people will meet, met."""

import contextlib
import threading

import pytest
from openmiosa.errors import NotFoundError

from ..kit.oracle import Row
from ..kit.upstreams import Response

LOCKED = pytest.mark.parametrize("row", ["lockdown"], indirect=True)


@LOCKED
def test_a_wildcard_does_not_cover_the_name_itself(row: Row):
    row.world.names.set("wild.test", ["11.1.0.8"])
    row.sandbox.network.allow("*.wild.test")
    row.expect("a.wild.test", "allow")
    row.expect("wild.test", "reject", "host-denied")
    assert row.curl("https://a.wild.test/") == '{"ok": true}'
    assert "reason: host-denied" in row.curl("https://wild.test/")


@LOCKED
def test_a_redirect_to_an_unlisted_host_is_a_call_of_its_own(row: Row):
    row.world.internet.answer("ok2.test", lambda _: Response(status=302, headers={"Location": "https://no.test/stolen"}))
    row.expect("ok2.test", "allow")
    row.expect("no.test", "reject", "host-denied")
    assert row.curl("-L", "https://ok2.test/").endswith("network pending)\n")
    row.world.internet.answer("ok2.test", lambda _: Response())


def test_a_redirect_does_not_take_the_value_along(row: Row):
    row.world.internet.answer("ok.test", lambda _: Response(status=307, headers={"Location": "https://ok2.test/"}))
    row.expect("ok.test", "allow")
    row.expect("ok2.test", "reject", "secret-unbound")
    row.curl("-L", "--location-trusted", "-H", "Authorization: Bearer $PH", "https://ok.test/")
    row.world.internet.answer("ok.test", lambda _: Response())


def test_rotating_by_a_wrong_name_is_an_error_and_changes_nothing(row: Row):
    with pytest.raises(NotFoundError):
        row.sandbox.secrets.rotate("s-one", "x" * 40)
    row.expect("ok.test", "allow")
    assert row.curl("-H", "Authorization: Bearer $PH", "https://ok.test/") == '{"ok": true}'


def test_a_client_with_roots_of_its_own_is_recorded_as_such(row: Row):
    row.expect("ok2.test", "client_cancel")
    assert row.run("curl -s --cacert /dev/null --capath /nonexistent -m 5 https://ok2.test/").exit_code != 0
    row.world.wait(row.decisions, "the row")
    (event,) = row.decisions()
    assert event.protocol == "tls"
    assert event.message


def test_http3_falls_back_by_itself(row: Row):
    row.expect("ok2.test", "allow")
    assert row.probe("udp", host="ok2.test", port=443)["error"] == "ECONNREFUSED"
    assert row.curl("https://ok2.test/") == '{"ok": true}'


def test_a_tail_that_lost_its_server_goes_on_after_its_last_event(own_world):
    row = Row(own_world)
    paths: list[str] = []
    complete = threading.Event()

    def listen() -> None:
        with contextlib.closing(own_world.connect()) as client, client.sandboxes.get(row.sandbox.id).audit.tail() as events:
            for event in events:
                paths.append(event.path)
                if event.path == "/last":
                    complete.set()
                    return

    watcher = threading.Thread(target=listen, daemon=True)
    watcher.start()
    try:
        own_world.wait(lambda: row.run("curl -s https://ok2.test/warm") and paths, "the tail")
        old = own_world.system.kill("server")
        row_run = own_world.start_beside_the_server(row.sandbox.id, "curl -s https://ok2.test/while-away")
        assert row_run["state"] == "running"
        own_world.system.wait_for_restart("server", old)
        own_world.wait(lambda: _serves(own_world), "the server")
        row.run("curl -s https://ok2.test/last")
        assert complete.wait(30)
        assert [path for path in paths if path != "/warm"] == ["/while-away", "/last"]
    finally:
        row.close()
        watcher.join(10)


def _serves(world) -> bool:
    try:
        return world.client.whoami() is not None
    except Exception:
        return False
