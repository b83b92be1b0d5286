"""What docs/troubleshooting.md says people will meet, met."""

import contextlib
import operator
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openmiosa.errors import APIError, NotFoundError

from ..kit.oracle import Row
from ..kit.system import World
from ..kit.upstreams import Response

PAGE = (Path(__file__).resolve().parents[2] / "docs/troubleshooting.md").read_text()
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


def refused_host(row: Row) -> str:
    row.sandbox.network.deny("no.test")
    row.expect("no.test", "reject", "host-denied")
    return row.curl("https://no.test/")


def unbound(row: Row) -> str:
    row.expect("ok2.test", "reject", "secret-unbound")
    return row.curl("-H", "Authorization: Bearer $PH", "https://ok2.test/")


def inert(row: Row) -> str:
    row.sandbox.secrets.set(name="homeless", value="no provider's shape at all", expose_as_env="HOMELESS")
    row.expect("ok2.test", "reject", "secret-inert")
    return row.curl("-H", "X-Key: $HOMELESS", "https://ok2.test/")


def in_the_clear(row: Row) -> str:
    row.expect("ok.test", "reject", "secret-needs-tls")
    return row.curl("-H", "Authorization: Bearer $PH", "http://ok.test/")


def deleted(row: Row) -> str:
    kept = row.run("echo $PH").stdout.strip()
    row.sandbox.secrets.delete("s1")
    row.expect("ok.test", "reject", "placeholder-unknown")
    return row.curl("-H", f"Authorization: Bearer {kept}", "https://ok.test/")


def private_address(row: Row) -> str:
    row.world.names.set("inside.test", ["10.20.0.9"])
    row.expect("inside.test", "reject", "addr-denied", asked=True)
    return row.curl("https://inside.test/")


def literal_address(row: Row) -> str:
    row.expect("9.9.9.9", "reject", "literal-denied")
    return row.curl("http://9.9.9.9/")


def another_host_header(row: Row) -> str:
    row.expect("ok2.test", "reject", "authority-mismatch")
    return row.curl("-H", "Host: no.test", "https://ok2.test/")


def no_server_name(row: Row) -> str:
    row.expect("ok2.test", "reject", "sni-missing")
    return row.probe("tls", host="ok2.test", sni=None, send="GET / HTTP/1.1\r\nHost: ok2.test\r\nConnection: close\r\n\r\n")["received"]


def no_host_name(row: Row) -> str:
    row.expect("ok2.test", "reject", "host-syntax")
    return row.curl("-H", "Host: a..b", "https://ok2.test/")


def two_lengths(row: Row) -> str:
    row.expect("ok2.test", "reject", "framing")
    twice = "POST / HTTP/1.1\r\nHost: ok2.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
    return row.probe("tls", host="ok2.test", sni="ok2.test", send=twice)["received"]


def long_head(row: Row) -> str:
    row.expect("ok2.test", "reject", "too-large")
    return row.curl("-H", f"X-Long: {'x' * 70_000}", "https://ok2.test/")


def bad_certificate(row: Row) -> str:
    row.world.names.set("self-made.test", ["11.2.0.99"])
    row.world.internet.certificate("self-made.test", type(row.world.internet.authority)("nobody's").context("self-made.test"))
    row.expect("self-made.test", "error", "upstream-tls")
    row.may_dial("self-made.test")
    row.may_dial("11.2.0.99")
    return row.curl("https://self-made.test/")


def nobody_there(row: Row) -> str:
    row.expect("no-such-host.test", "error", "upstream-unreachable", asked=True)
    return row.curl("https://no-such-host.test/")


PROVOKED: list[Callable[[Row], str]] = [
    refused_host, unbound, inert, in_the_clear, deleted, private_address, literal_address, another_host_header, no_server_name,
    no_host_name, two_lengths, long_head,
    bad_certificate, nobody_there,
]  # fmt: skip
# Rows whose provocation needs more than a call, and the test that provokes each.
ELSEWHERE = {
    "the secret has expired or must be connected again": "tests/e2e/test_accounts.py::secret-unavailable",
    "only TLS and HTTP/1.1 leave a sandbox": "tests/e2e/test_settled_network.py::unknown-protocol",
    "the call could not be recorded; retry later, and tell the operator": "crates/proxy/tests/records.rs::audit-unavailable",
    "the host compresses its answer in a way that cannot be searched for secrets": "crates/proxy/tests/echoes.rs::answer-unreadable",
    # Only a request that was accepted before its sandbox's state went away meets this one.
    "the sandbox is not ready; retry": "crates/proxy/src/forward.rs::NoSnapshot",
}


def page_rows() -> dict[str, set[str]]:
    """What the page's first table quotes: each `do:` line with its reasons."""
    table = PAGE.partition("## No message")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|", table, re.MULTILINE)
    return {line: set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", about)) for line, about in rows}


@pytest.mark.parametrize("provoke", PROVOKED, ids=lambda one: one.__name__)
def test_a_refusal_says_what_the_page_quotes(row: Row, provoke: Callable[[Row], str]):
    said = dict(line.split(": ", 1) for line in provoke(row).replace("\r", "").splitlines() if ": " in line)
    assert said["reason"] in page_rows()[said["do"]]


def test_every_row_of_the_page_is_provoked_here_or_there():
    rows = page_rows()
    for line, there in ELSEWHERE.items():
        path, _, word = there.partition("::")
        assert line in rows
        assert word in (Path(__file__).resolve().parents[2] / path).read_text(), there
    assert len(rows) == len(PROVOKED) + len(ELSEWHERE)


def test_the_variable_is_there_for_processes_that_start_after_the_secret(row: Row):
    process = row.sandbox.processes.start("until test -e /workspace/look; do sleep 0.05; done; echo before=$LATE")
    row.sandbox.secrets.set(name="late", value="x" * 30, expose_as_env="LATE", allowed_hosts=["ok.test"])
    row.sandbox.files.write("/workspace/look", "")
    row.sandbox.processes.wait(process.pid, timeout=20)
    assert row.sandbox.processes.logs(process.pid).strip() == "before="
    assert row.run("echo $LATE").stdout.startswith("miosa-tok-")


def test_a_connection_that_waits_for_consent_has_its_placeholder_and_no_value(oauth_world: World):
    with oauth_world.client.sandboxes.create() as sandbox:
        sandbox.secrets.connect("demo", expose_as_env="WAITING")
        said = sandbox.exec('curl -s -H "Authorization: Bearer $WAITING" https://api.idp.test/').stdout
    assert "reason: secret-unavailable" in said


def test_a_value_is_not_kept_after_its_rotation(row: Row):
    row.expect("ok.test", "allow", times=2)
    row.curl("-H", "Authorization: Bearer $PH", "https://ok.test/1")
    row.rotate("s1")
    row.curl("-H", "Authorization: Bearer $PH", "https://ok.test/2")
    versions = [use.version for event in row.decisions() for use in event.secrets]
    assert versions == [1, 2]


def test_only_placeholders_are_replaced_and_other_credentials_go_as_they_are(row: Row):
    row.expect("ok.test", "allow")
    row.curl("-H", "Authorization: Bearer a-session-of-its-own", "-H", "X-Api-Key: $PH", "https://ok.test/two")
    request = next(one for one in reversed(row.world.internet.requests("ok.test")) if one.target == "/two")
    assert request.header("Authorization") == "Bearer a-session-of-its-own"
    assert row.carries(request, "s1")


def test_a_link_that_was_used_or_is_old_says_so(row: Row):
    page = httpx2.get(f"{row.world.system.base_url}/api/v1/egress/oauth/callback", params={"state": "of-yesterday", "code": "x"}).text
    assert quoted("This link is unknown") in page


MESSAGES: dict[str, Callable[[Row], Any]] = {
    "there are no allow rules": lambda row: row.sandbox.network.lockdown(),
    "the API key is missing": lambda row: with_key(row, "msk_live_nobody", "whoami"),
    "lacks the scope": lambda row: with_key(row, narrow(row), "templates", "secrets.list"),
    "is taken by a living": lambda row: row.world.client.sandboxes.create(row.sandbox.name),
    "was destroyed;": lambda row: gone(row).exec("true"),
    "is not set up here": lambda row: row.sandbox.secrets.connect("github"),
    "is no connected account": lambda row: row.sandbox.secrets.reauthorize("s1"),
    "no such secret": lambda row: row.sandbox.secrets.rotate("of another name", "x" * 20),
}


@pytest.mark.parametrize("beginning", MESSAGES)
def test_the_api_says_what_the_page_quotes(row: Row, beginning: str):
    with pytest.raises(APIError) as refused:
        MESSAGES[beginning](row)
    assert quoted(beginning) in refused.value.message


def test_an_end_page_that_the_operator_did_not_list_is_refused(oauth_world: World):
    with oauth_world.client.sandboxes.create() as sandbox, pytest.raises(APIError) as refused:
        sandbox.secrets.connect("demo", redirect_uri="https://elsewhere.test/done")
    assert refused.value.message == quoted("redirect_uri is https://")


def quoted(beginning: str) -> str:
    """The message of the page that begins so."""
    found = re.search(rf"`({re.escape(beginning)}[^`]*)`", PAGE)
    assert found, beginning
    return found[1]


def narrow(row: Row) -> str:
    """A key that may do next to nothing."""
    return str(row.world.client.api_keys.create("narrow", scopes=["sandboxes:read"]).token)


def with_key(row: Row, key: str, *calls: str) -> None:
    """Calls with another key."""
    with row.world.connect(key) as client:
        for call in calls:
            operator.attrgetter(call)(client)()


def gone(row: Row) -> Any:
    """A handle of a sandbox that was destroyed."""
    other = row.world.sandbox()
    other.destroy()
    return other
