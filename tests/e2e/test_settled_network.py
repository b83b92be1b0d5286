"""Settled: a refusal is an answer; per request, not per connection; the operator's static hosts."""

import asyncio
import json
import time

import pytest

from ..kit.oracle import Row
from ..kit.system import ADDRESSES, World
from ..kit.upstreams import Response

LOCKED = pytest.mark.parametrize("row", ["lockdown"], indirect=True)
# Runs inside: one keep-alive connection, one request for each line of input.
KEEP_ALIVE = """
import http.client, os, pathlib, time
connection, number, folder = http.client.HTTPSConnection("ok.test", timeout=30), 0, pathlib.Path("/workspace")
while True:
    number += 1
    while not (folder / f"go-{number}").exists():
        if (folder / "stop").exists():
            raise SystemExit
        time.sleep(0.01)
    headers = {"Authorization": "Bearer " + os.environ["PH"]}
    connection.request("GET", f"/{number}", headers=headers)
    answer = connection.getresponse()
    port = connection.sock.getsockname()[1] if connection.sock else 0
    (folder / f"draft-{number}").write_text(f"{answer.status} {port}\\n{answer.read().decode()}")
    (folder / f"draft-{number}").rename(folder / f"done-{number}")
"""


class Agent:
    """A process inside that holds one connection and asks when it is told to."""

    def __init__(self, row: Row) -> None:
        self.row, self.number = row, 0
        row.sandbox.files.write("/workspace/keep_alive.py", KEEP_ALIVE)
        self.process = row.sandbox.processes.start("python3 /workspace/keep_alive.py > /workspace/agent.log 2>&1")

    def ask(self) -> tuple[int, int, str]:
        """One request: its status, the client's port, the body."""
        self.number += 1
        done = f"/workspace/done-{self.number}"
        self.row.sandbox.files.write(f"/workspace/go-{self.number}", "")
        self.row.world.wait(lambda: self.row.sandbox.files.exists(done), f"answer {self.number}")
        first, _, body = self.row.sandbox.files.read_text(done).partition("\n")
        self.row.received.append(body.encode())
        status, port = first.split()
        return int(status), int(port), body

    def stop(self) -> None:
        """End it."""
        self.row.sandbox.files.write("/workspace/stop", "")
        self.row.sandbox.processes.wait(self.process.pid, timeout=20)


@LOCKED
def test_a_refused_name_has_an_address_a_leaf_and_an_answer(row: Row):
    row.expect("no.test", "reject", "host-denied")
    answer = row.probe("tls", host="no.test", sni="no.test", send="GET / HTTP/1.1\r\nHost: no.test\r\nConnection: close\r\n\r\n")
    assert answer["names"] == ["no.test"]
    assert answer["received"].startswith("HTTP/1.1 403 MIOSA-Egress-Deny\r\n")


@LOCKED
def test_the_body_of_a_refusal_is_short_and_says_host_rule_and_remedy(row: Row):
    row.expect("no.test", "reject", "host-denied")
    head, _, body = row.curl("-i", "https://no.test/$PH?q=$PH", "-H", "X-Evil: <script>").partition("\r\n\r\n")
    first, *rest = body.splitlines()
    assert first == "blocked: 403 MIOSA-Egress-Deny"
    assert [line.partition(":")[0] for line in rest] == ["host", "reason", "rule", "do"]
    assert len(body) < 512
    assert "miosa-tok" not in body + head
    assert "script" not in body


@LOCKED
def test_every_valid_name_gets_an_address_whatever_policy_says(row: Row):
    (address,) = row.probe("resolve", name="no-such-name-anywhere.test")["addresses"]
    assert address.startswith(("198.18.", "198.19."))


@pytest.mark.parametrize(
    "opening", ["SSH-2.0-OpenSSH_9\r\n", "\x05\x01\x00", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x08\x04\xd2\x16\x2f"]
)
def test_what_is_neither_tls_nor_http_is_reset_and_recorded(row: Row, opening: str):
    row.expect("ok.test", "reject", "unknown-protocol")
    answer = row.probe("plain", host="ok.test", port=443, send=opening)
    assert answer["received"] == "<reset>"


def test_an_address_that_was_never_handed_out_is_refused(row: Row):
    row.expect("198.19.255.250", "reject", "literal-denied")
    assert "reason: literal-denied" in row.curl("http://198.19.255.250/")


def test_a_literal_address_needs_a_rule_that_names_its_cidr(row: Row):
    row.expect("9.9.9.9", "reject", "literal-denied")
    assert "reason: literal-denied" in row.curl("http://9.9.9.9/")
    row.sandbox.network.allow("9.9.9.0/24")
    row.expect("9.9.9.9", "allow")
    assert row.curl("http://9.9.9.9/") == '{"ok": true}'


def test_a_kept_connection_obeys_the_next_policy(row: Row):
    row.expect("ok.test", "allow")
    row.expect("ok.test", "reject", "host-denied")
    row.expect("ok.test", "allow")
    agent = Agent(row)
    assert agent.ask()[0] == 200
    rule = row.sandbox.network.deny("ok.test")
    assert agent.ask()[0] == 403
    row.sandbox.network.remove(rule.id)
    assert agent.ask()[0] == 200
    agent.stop()


def test_a_kept_connection_carries_the_next_value(row: Row):
    row.expect("ok.test", "allow", times=3)
    agent = Agent(row)
    before = row.canaries["s1"]
    ports = {agent.ask()[1]}
    after = row.rotate("s1")
    ports |= {agent.ask()[1], agent.ask()[1]}
    sent = [request.header("Authorization") for connection in row.world.internet.dialled(row.mark) for request in connection.requests]
    assert sent == [f"Bearer {before}", f"Bearer {after}", f"Bearer {after}"]
    assert len(ports) == 1, "the client kept its connection"
    agent.stop()


def test_sandboxes_never_share_an_upstream_connection(row: Row, world: World):
    other = Row(world)
    try:
        for each in (row, other):
            each.expect("ok2.test", "allow", times=2)
            each.run("curl -s https://ok2.test/1 https://ok2.test/2")
        assert len([connection for connection in world.internet.dialled(row.mark) if connection.name == "ok2.test"]) == 2
        other.judge()
    finally:
        other.close()


def test_live_streams_are_cut_within_a_second_of_a_lockdown(row: Row):
    async def endless():
        while True:
            yield b"x" * 100
            await asyncio.sleep(0.02)

    row.world.internet.answer("ok2.test", lambda _: Response(stream=endless))
    row.expect("ok2.test", "allow")
    row.sandbox.processes.start("curl -s https://ok2.test/stream -o /workspace/stream; echo $? > /workspace/ended")
    row.world.wait(lambda: row.sandbox.files.exists("/workspace/stream"), "the stream")
    row.sandbox.network.lockdown(["ok.test"])
    acknowledged = time.monotonic()
    (stream,) = [connection for connection in row.world.internet.dialled(row.mark) if connection.name == "ok2.test"]
    row.world.wait(lambda: stream.closed, "the upstream's end")
    assert stream.closed - acknowledged < 1
    row.world.wait(lambda: row.sandbox.files.exists("/workspace/ended"), "the client's end")
    row.world.wait(lambda: all(event.ended_as for event in row.decisions()), "the outcome")
    assert [event.ended_as for event in row.decisions()] == ["cut_by_policy"]
    row.world.internet.answer("ok2.test", lambda _: Response())


def test_a_deleted_secret_cuts_what_carries_it(row: Row):
    async def endless():
        while True:
            yield b"x" * 100
            await asyncio.sleep(0.02)

    row.world.internet.answer("ok.test", lambda _: Response(stream=endless))
    row.expect("ok.test", "allow")
    row.expect("ok.test", "reject", "placeholder-unknown")
    row.sandbox.processes.start('curl -s -H "Authorization: Bearer $PH" https://ok.test/ -o /workspace/stream; echo $? > /workspace/ended')
    kept = row.run("echo $PH").stdout.strip()
    row.world.wait(lambda: row.sandbox.files.exists("/workspace/stream"), "the stream")
    row.sandbox.secrets.delete("s1")
    acknowledged = time.monotonic()
    (stream,) = row.world.internet.dialled(row.mark)
    row.world.wait(lambda: stream.closed, "the upstream's end")
    assert stream.closed - acknowledged < 1
    row.world.internet.answer("ok.test", lambda _: Response())
    assert "reason: placeholder-unknown" in row.curl("-H", f"Authorization: Bearer {kept}", "https://ok.test/")


def test_static_hosts_go_where_the_operator_says_under_the_real_name(surrounding: object, static_world: World):
    row = Row(static_world)
    try:
        row.expect("static.test", "allow")
        row.may_dial("127.0.0.1")
        row.expect("other.static.test", "error", "upstream-unreachable", asked=True)
        row.expect("static.test", "error", "upstream-unreachable", asked=True)
        assert row.curl("https://static.test/") == '{"ok": true}'
        row.curl("https://other.static.test/")
        row.curl("http://static.test/")
        names = [connection.name for connection in static_world.internet.dialled(row.mark)]
        assert names == ["static.test"], "by exact name and port, and the TLS name stays the real one"
        row.judge()
    finally:
        row.close()


def test_static_hosts_are_loud_in_the_log_and_not_settable_through_the_api(static_world: World):
    assert "static.test:443 -> 127.0.0.1:8443" in (static_world.system.state / "up.log").read_text()
    log = (static_world.system.places.log / "egressd.log").read_text()
    assert any("static" in line and "static.test" in line for line in log.splitlines())
    paths = static_world.call("GET", "/openapi.json").text + json.dumps(ADDRESSES)
    assert "static_hosts" not in paths
