"""What the TypeScript client sends where it differs from the others, as raw requests: the client itself cannot be had here.

Its source shaped the contract: it encodes no path, parses every `data:` line on its own, drops `event:` names, throws on
an empty 200, repeats any POST after a 5xx, and waits 30 seconds for a response's head.
"""

import base64
import http.client
import json
import struct
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from .drive import Follower, until
from .stage import GITHUB, Stage

shape = pytest.mark.shape
ISSUES = f"curl -s -o /dev/null https://{GITHUB}/repos/o/r/issues"


class Wire:
    """A keep-alive connection with the headers of that client, and one sandbox."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.headers = {
            "Authorization": f"Bearer {stage.api_key}",
            "Accept": "application/json",
            "User-Agent": "@miosa/sdk/2.0.7",
            "accept-language": "*",
            "sec-fetch-mode": "cors",
        }
        self.http = httpx.Client(base_url=f"{stage.base_url}/api/v1", headers=self.headers, timeout=60)
        self.box = self.sent("POST", "/sandboxes", {"template_id": "miosa-sandbox", "name": "typescript"}, expect=201)["data"]
        self.at = f"/sandboxes/{self.box['id']}"

    def sent(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        """The JSON of an answer, or None of a 204."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def raw(self, path: str) -> tuple[int, bytes]:
        """GET of a path that no library may touch."""
        connection = http.client.HTTPConnection(self.stage.base_url.removeprefix("http://"), timeout=30)
        connection.putrequest("GET", f"/api/v1{self.at}{path}", skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def streamed(self, method: str, path: str, body: Any = None) -> Iterator[Any]:
        """Every `data:` line as JSON, without its event's name."""
        with self.http.stream(method, path, json=body, headers={"Accept": "text/event-stream"}) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def run(self, command: str) -> str:
        """The output of a command."""
        return str(self.sent("POST", f"{self.at}/exec", {"command": command})["data"]["stdout"])


@pytest.fixture(scope="module")
def wire(stage: Stage) -> Iterator[Wire]:
    """One sandbox for all shapes."""
    made = Wire(stage)
    yield made
    made.sent("DELETE", made.at, expect=204)
    made.http.close()


@shape(1, "create answers running")
def test_a_created_sandbox_reads_running_because_the_copy_is_never_refreshed(wire: Wire):
    assert (wire.box["state"], wire.box["ready"]) == ("running", True)


@shape(5, "readiness/stream")
def test_readiness_carries_its_type_inside_the_json(wire: Wire):
    assert next(wire.streamed("GET", f"{wire.at}/readiness/stream"))["type"] == "ready"


@shape(11, "oauth/status")
def test_a_connection_is_pending_with_200_and_then_completed(wire: Wire):
    place = {"expose_as_env": "GITHUB_TOKEN", "resource_id": wire.box["id"], "resource_type": "sandbox"}
    flow = wire.sent("POST", "/egress/oauth/start", {"provider": "github", **place})["data"]

    def status() -> Any:
        return wire.sent("GET", f"/egress/oauth/status?state={flow['state']}")["data"]

    assert status()["status"] == "pending"
    wire.stage.consent(flow["authorize_url"])
    until(lambda: status()["status"] == "completed", "the connection to be completed")
    assert status()["secret_id"] == flow["secret_id"]


@shape(14, "POST files, base64 in content")
def test_a_file_is_written_as_base64_under_content(wire: Wire):
    body = {"path": "/workspace/ts.bin", "content": base64.b64encode(b"\x00\xff").decode()}
    assert isinstance(wire.sent("POST", f"{wire.at}/files", body), dict)
    assert wire.raw("/files/workspace/ts.bin") == (200, b"\x00\xff")


@shape(15, "POST files/write-many")
def test_many_files_are_written_flat(wire: Wire):
    file = {"path": "/workspace/many", "content_base64": base64.b64encode(b"m").decode()}
    assert wire.sent("POST", f"{wire.at}/files/write-many", {"files": [file]})["written"][0]["size_bytes"] == 1


@shape(16, "GET files/<path as it is>")
@pytest.mark.parametrize(
    ("name", "sent"),
    [("50%.txt", "50%.txt"), ("a b.txt", "a%20b.txt"), ("ä.txt", "%C3%A4.txt"), ("a+b.txt", "a+b.txt"), ("c:d;e=f.txt", "c:d;e=f.txt")],
)
def test_a_path_that_was_not_encoded_is_read_as_it_was_meant(wire: Wire, name: str, sent: str):
    body = {"path": f"/workspace/{name}", "content": base64.b64encode(name.encode()).decode()}
    wire.sent("POST", f"{wire.at}/files", body)
    assert wire.raw(f"/files/workspace/{sent}") == (200, name.encode())


@shape("next", "POST files/stat")
def test_stat_has_its_older_route(wire: Wire):
    wire.run("echo 123 > /workspace/stat")
    assert wire.sent("POST", f"{wire.at}/files/stat", {"path": "/workspace/stat"})["data"]["size"] == 4


@shape(18, "the head of a long exec")
def test_the_head_of_a_long_command_comes_before_its_end(wire: Wire):
    wire.run("mkfifo /workspace/wait")
    with wire.http.stream("POST", f"{wire.at}/exec", json={"command": "read x < /workspace/wait; echo $x"}) as answer:
        assert answer.status_code == 200
        wire.run("echo released > /workspace/wait")
        assert json.loads(answer.read())["data"]["stdout"] == "released\n"


@shape(19, "exec/stream")
def test_a_streamed_command_carries_its_types_inside_the_json(wire: Wire):
    events = list(wire.streamed("POST", f"{wire.at}/exec/stream", {"command": "echo out; exit 3"}))
    assert events[0] == {"type": "stdout", "line": "out"}
    assert (events[-1]["type"], events[-1]["exit_code"], events[-1]["exitCode"]) == ("exit", 3, 3)


@shape(24, "sandboxes/:id/events")
@shape(25, "sandboxes/:id/audit/stream")
@pytest.mark.parametrize("path", ["events", "audit/stream"])
def test_both_tails_give_flat_events(wire: Wire, path: str):
    follow = Follower(lambda: wire.streamed("GET", f"{wire.at}/{path}"), lambda seen: seen[-1]["type"] == "audit")
    while not follow.done:
        wire.run(ISSUES)
    event = follow.result()[-1]
    assert (event["host"], event["resource_id"]) == (GITHUB, wire.box["id"])


@shape(7, "POST egress/secrets, repeated")
def test_a_secret_that_arrives_twice_is_one_secret(wire: Wire):
    place = {"expose_as_env": "TWICE", "resource_id": wire.box["id"], "resource_type": "sandbox"}
    body = {"name": "twice", "value": "v" * 30, "type": "api_key", "scope": "user", **place}
    first, second = (wire.sent("POST", "/egress/secrets", body, expect=201) for _ in range(2))
    assert first["data"]["id"] == second["data"]["id"]
    assert first["binding"]["placeholder"] == second["binding"]["placeholder"]


@shape(28, "POST egress/allowlist, repeated")
def test_a_rule_that_arrives_twice_is_one_rule(wire: Wire):
    body = {"host": "twice.example", "effect": "allow", "resource_id": wire.box["id"], "resource_type": "sandbox"}
    rules = [wire.sent("POST", "/egress/allowlist", body, expect=201)["data"]["id"] for _ in range(2)]
    assert rules[0] == rules[1]
    wire.sent("DELETE", f"/egress/allowlist/{rules[0]}", expect=204)


@shape(30, "PATCH egress/policies without an id")
def test_lockdown_and_observe_need_no_policy_id(wire: Wire):
    place = {"resource_id": wire.box["id"], "resource_type": "sandbox"}
    for mode, status in (("enforce", "403"), ("audit_only", "200")):
        policy = wire.sent("PATCH", "/egress/policies", {"mode": mode, **place})["data"]
        assert (policy["mode"], policy["resource_id"]) == (mode, wire.box["id"])
        assert wire.run(f"curl -s -o /dev/null -w '%{{http_code}}' https://{GITHUB}/repos/o/r/issues") == status


@shape(30, "PATCH egress/policies of the tenant")
def test_without_a_resource_the_tenants_default_is_meant(wire: Wire):
    policy = wire.sent("PATCH", "/egress/policies", {"mode": "audit_only"})["data"]
    assert (policy["mode"], policy["resource_id"]) == ("audit_only", None)


@shape(34, "lifecycle with an empty object")
def test_an_empty_object_is_a_body_like_any(wire: Wire):
    assert [wire.sent("POST", f"{wire.at}/{verb}", {})["data"]["state"] for verb in ("pause", "resume")] == ["paused", "running"]


@shape(33, "POST api-keys with an Idempotency-Key")
def test_a_key_that_is_asked_for_twice_is_made_once(wire: Wire):
    headers = {"Idempotency-Key": f"ts-{time.time_ns()}"}
    answers = [wire.http.post("/api-keys", json={"name": "ts"}, headers=headers) for _ in range(2)]
    assert answers[0].status_code == 201
    made = [key for key in wire.sent("GET", "/api-keys?limit=10")["data"] if key["name"] == "ts"]
    assert len(made) == 1
    wire.sent("DELETE", f"/api-keys/{made[0]['id']}", expect=204)


@shape(36, "POST expose")
def test_a_port_is_exposed_by_a_single_answer_with_its_url(wire: Wire):
    assert wire.sent("POST", f"{wire.at}/expose", {"port": 8123})["data"]["url"].startswith("http://")


@shape("13", "WS computers/:id/exec/stream, miosa-exec-v1")
def test_an_interactive_command_speaks_binary_frames(wire: Wire):
    with spoken(wire, 'read line; echo "$A $line"; echo e >&2; exit 3', ["A=1"]) as socket:
        assert socket.subprotocol == "miosa-exec-v1"
        socket.send(b"\x00in\n")
        frames = list(socket)
    assert frames[-1] == b"\x03\x00\x00\x00\x03"
    assert {frame[:1]: frame[1:] for frame in frames[:-1]} == {b"\x01": b"1 in\n", b"\x02": b"e\n"}


@shape("13", "WS resize, miosa-exec-v1")
def test_a_terminal_is_resized_by_a_binary_frame(wire: Wire):
    with spoken(wire, "read go; stty size", [], "&tty=true&rows=24&cols=80") as socket:
        socket.send(struct.pack(">BHH", 5, 40, 120))
        socket.send(b"\x00go\n")
        said = b"".join(frame[1:] for frame in socket if frame[:1] == b"\x01")
    assert b"40 120" in said


def spoken(wire: Wire, command: str, env: list[str], more: str = "") -> ClientConnection:
    """As in a browser, which has no header to put the key in: it is offered as a second subprotocol."""
    query = urlencode({"command": "sh", "args": ["-c", command], "env": env}, doseq=True)
    address = f"{wire.stage.base_url.replace('http', 'ws', 1)}/api/v1/computers/{wire.box['id']}/exec/stream?{query}{more}"
    return connect(address, subprotocols=["miosa-exec-v1", f"bearer.{wire.stage.api_key}"], compression=None)  # type: ignore[list-item]
