"""One test for each quirk of the published clients that forces the server's shape, numbered as the wire's description numbers them.

What a client does with these answers is shown by `published/`; here stands what it needs.
"""

import base64
import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from openmiosa_server import serving
from websockets.sync.client import connect

from .objects import Objects, Wanted
from .operations import DOCUMENT, OPERATIONS, resolved

CLIENTS_GIVE_UP = 60  # seconds without a byte, in Python


@pytest.fixture
def sandbox(objects: Objects) -> str:
    """The path of a running sandbox."""
    return f"/sandboxes/{objects.ids['key']}"


def get(objects: Objects, path: str, **params: Any) -> Any:
    """The JSON that a GET answers."""
    return objects.send(Wanted("GET", path, params), objects.admin).json()


def frames(objects: Objects, wanted: Wanted) -> Iterator[dict[str, str]]:
    """Frames of a stream, field by field."""
    with objects.opened(wanted, objects.admin) as answer:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, colon, value = line.partition(": ")
            if not line and fields:
                yield fields
                fields = {}
            elif colon and name:
                fields[name] = value


def call_out(objects: Objects) -> None:
    """Something for the audit."""
    objects.made("POST", f"/sandboxes/{objects.ids['key']}/exec", {"command": "curl -s https://ok.test/"})


def test_quirk_01_array_under_data_breaks_go(objects: Objects):
    named = {"secrets": "secrets", "bindings": "bindings", "allowlist": "rules", "policies": "policies", "audit": "events"}
    for path, name in {**named, "audit/suggestions": "suggestions", "pending": "pending"}.items():
        body = get(objects, f"/egress/{path}")
        assert isinstance(body[name], list)
        assert "data" not in body


def test_quirk_02_flat_single_egress_things_are_empty_in_go(objects: Objects):
    for path in (f"secrets/{objects.ids['secret']}", f"policies/{objects.ids['policy']}", f"audit/{objects.ids['event']}"):
        assert get(objects, f"/egress/{path}")["data"]["id"]
    rule = objects.send(Wanted("POST", "/egress/allowlist", body={"host": "q2.test", "resource_id": objects.ids["key"]}), objects.admin)
    assert rule.json()["data"]["host"] == "q2.test"


def test_quirk_03_processes_trees_and_computers_are_flat_for_go(objects: Objects, sandbox: str):
    written = Wanted("POST", f"{sandbox}/files/write-many", body={"files": [{"path": "/workspace/q3", "content_base64": ""}]})
    assert set(objects.send(written, objects.admin).json()) == {"written", "failed"}
    assert get(objects, f"{sandbox}/processes/{objects.ids['process']}")["pid"]
    assert get(objects, f"{sandbox}/files/tree")["children"]
    assert get(objects, sandbox.replace("sandboxes", "computers"))["status"] == "running"
    ran = Wanted("POST", f"{sandbox.replace('sandboxes', 'computers')}/exec", body={"command": "echo out"})
    assert {"output": "out\n", "success": True}.items() <= objects.send(ran, objects.admin).json().items()


def test_quirk_04_the_broken_streams_of_go_are_no_attack(objects: Objects, sandbox: str):
    log = objects.world.system.places.log / "server.log"
    before = len(log.read_bytes())
    address = urlsplit(objects.world.system.base_url)
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port), 10) as raw:
            head = [
                f"GET /api/v1{sandbox}/events HTTP/1.1",
                "Host: x",
                f"Authorization: Bearer {objects.admin}",
                "Transfer-Encoding: chunked",
            ]
            raw.sendall("\r\n".join([*head, "", "4", "null"]).encode())
    assert get(objects, "/whoami")["data"]["name"] == "admin"
    said = log.read_bytes()[before:].decode().lower()
    assert [word for word in ("warning", "error", "exception") if f'"{word}"' in said] == []


def test_quirk_05_go_gives_up_after_a_minute_so_long_commands_are_polled(objects: Objects, sandbox: str):
    began = time.monotonic()
    process = objects.made("POST", f"{sandbox}/processes", {"command": "exec sleep 300"})
    assert time.monotonic() - began < 30
    assert get(objects, f"{sandbox}/processes/{process['pid']}")["status"] == "running"
    objects.send(Wanted("DELETE", f"{sandbox}/processes/{process['pid']}"), objects.admin)
    assert get(objects, f"{sandbox}/processes/{process['id']}")["status"] == "exited"


def test_quirk_06_audit_messages_in_an_envelope_are_empty_in_go(objects: Objects):
    url = objects.world.system.base_url.replace("http", "ws") + f"/api/v1/egress/audit/resource/{objects.ids['key']}"
    headers = {"Authorization": f"Bearer {objects.admin}"}
    with connect(url, additional_headers=headers, subprotocols=["miosa-egress-audit-v1"], proxy=None) as tail:
        call_out(objects)
        event = json.loads(tail.recv(timeout=20))
        assert tail.subprotocol == "miosa-egress-audit-v1"
    assert (event["host"], event["resource_id"]) == ("ok.test", objects.ids["key"])
    assert {"event", "data"} & event.keys() == set()


def test_quirk_07_go_and_typescript_repeat_every_call_so_repeats_change_nothing(objects: Objects):
    place = {"resource_id": objects.ids["key"]}
    calls = {
        "/egress/secrets": {"name": "q7", "value": "v" * 24, "allowed_hosts": ["ok.test"], "expose_as_env": "Q7", **place},
        "/egress/allowlist": {"host": "q7.test", **place},
        "/egress/bindings": {"secret_id": objects.ids["secret"], "expose_as_env": "Q7_AGAIN", **place},
        f"/sandboxes/{objects.ids['key']}/previews": {"port": 7777},
    }
    for path, body in calls.items():
        assert objects.made("POST", path, body)["id"] == objects.made("POST", path, body)["id"], path


def test_quirk_08_go_asks_for_policies_without_a_filter(objects: Objects):
    found = get(objects, "/egress/policies")["policies"]
    assert objects.ids["key"] in [policy["resource_id"] for policy in found]
    assert all(policy["resource_type"] in ("sandbox", "workspace", None) for policy in found)


def test_quirk_09_typescript_never_refreshes_so_create_and_resume_end_running(objects: Objects):
    made = objects.made("POST", "/sandboxes", {})
    assert (made["state"], made["ready"]) == ("running", True)
    assert objects.made("POST", f"/sandboxes/{made['id']}/pause", {})["state"] == "paused"
    assert objects.made("POST", f"/sandboxes/{made['id']}/resume", {})["state"] == "running"


def test_quirk_10_typescript_drops_the_names_of_frames(objects: Objects, sandbox: str):
    streams = [
        Wanted("POST", f"{sandbox}/exec/stream", body={"command": "echo one; echo two >&2"}),
        Wanted("GET", f"{sandbox}/readiness/stream"),
    ]
    for wanted in streams:
        for frame in frames(objects, wanted):
            assert json.loads(frame["data"])["type"] == frame["event"]
    for path in ("events", "audit/stream"):
        frame = next(frames(objects, Wanted("GET", f"{sandbox}/{path}", {"after": objects.ids["event"]})))
        assert json.loads(frame["data"])["type"] == frame["event"] == "audit"


def test_quirk_11_typescript_waits_thirty_seconds_for_headers(objects: Objects, sandbox: str):
    began = time.monotonic()
    with objects.opened(Wanted("POST", f"{sandbox}/exec", body={"command": "sleep 9; echo done"}), objects.admin) as answer:
        headers_after = time.monotonic() - began
        body = answer.read()
    assert headers_after < time.monotonic() - began - 1
    assert body.startswith(b" ")
    assert json.loads(body)["data"]["stdout"] == "done\n"


def test_quirk_12_an_empty_200_throws_in_typescript(objects: Objects):
    for told in OPERATIONS:
        for status, answer in told["responses"].items():
            if status.startswith("2"):
                assert (status == "204") == ("content" not in resolved(answer)), told["operationId"]
    answer = objects.send(Wanted("DELETE", f"/egress/secrets/{objects.fresh('secret')}"), objects.admin)
    assert (answer.status_code, answer.content) == (204, b"")


def test_quirk_13_typescript_does_not_encode_the_path_of_a_download(objects: Objects, sandbox: str):
    for name in ("50%.txt", "a%20b.txt"):
        content = base64.b64encode(name.encode()).decode()
        objects.made("POST", f"{sandbox}/fs/write", {"path": f"/workspace/{name.replace('%20', ' ')}", "content_base64": content})
        address = urlsplit(objects.world.system.base_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        connection.request("GET", f"/api/v1{sandbox}/files/workspace/{name}", headers={"Authorization": f"Bearer {objects.admin}"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, name.encode())
        connection.close()


def test_quirk_14_typescript_has_no_sockets_in_node_so_http_does_the_same(objects: Objects, sandbox: str):
    over_http = {told["operationId"] for told in OPERATIONS}
    assert {"audit.tail", "exec.stream", "processes.stream"} <= over_http
    for told in DOCUMENT["x-websockets"]:
        same = told.get("x-compat", told["operationId"])
        assert same in over_http or same == "terminals.open", "a terminal is a convenience; its commands run by exec.stream"
    call_out(objects)
    frame = next(frames(objects, Wanted("GET", f"{sandbox}/audit/stream", {"after": objects.ids["event"]})))
    assert json.loads(frame["data"])["host"] == "ok2.test"


def test_quirk_15_python_locks_down_by_a_policy_id_so_every_sandbox_has_a_policy(objects: Objects):
    made = objects.made("POST", "/sandboxes", {})
    (policy,) = get(objects, "/egress/policies", resource_id=made["id"], resource_type="sandbox")["policies"]
    changed = objects.made("PATCH", f"/egress/policies/{policy['id']}", {"mode": "enforce"})
    assert (policy["mode"], changed["mode"]) == ("audit_only", "enforce")


def test_quirk_16_python_takes_the_first_ready_secret_for_a_connection(objects: Objects):
    objects.made("POST", "/egress/oauth/start", {"provider": "github", "resource_id": objects.ids["key"]})
    found = get(objects, "/egress/secrets", provider="github")["secrets"]
    assert {secret["provider"] for secret in found} == {"github"}
    assert {secret["status"] for secret in found} == {"pending"}


def test_quirk_17_python_unwraps_json_files_so_downloads_are_octets(objects: Objects, sandbox: str):
    text = b'{"data": {"content": "aGk="}}'
    objects.made("POST", f"{sandbox}/fs/write", {"path": "/workspace/q17.json", "content_base64": base64.b64encode(text).decode()})
    for wanted in (
        Wanted("GET", f"{sandbox}/fs/download", {"path": "/workspace/q17.json"}),
        Wanted("GET", f"{sandbox}/files/workspace/q17.json"),
    ):
        answer = objects.send(wanted, objects.admin)
        assert (answer.headers["content-type"], answer.content) == ("application/octet-stream", text)


def test_quirk_18_python_unwraps_objects_of_two_keys_at_most(objects: Objects):
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if "data" in schema.get("properties", {}) and schema["properties"]["data"].get("type") != "array":
            assert len(schema["properties"]) <= 2, name
    answer = objects.send(Wanted("POST", "/egress/secrets", body={"name": "q18", "value": "v" * 24, "scope": "tenant"}), objects.admin)
    assert set(answer.json()) == {"data", "binding"}


def test_quirk_19_python_asks_another_host_name_for_trees(objects: Objects, sandbox: str):
    headers = {"Authorization": f"Bearer {objects.admin}", "Host": "sandboxes.example.com"}
    answer = httpx2.get(f"{objects.world.system.base_url}/api/v1{sandbox}/files/tree", headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["path"]) == (200, "/workspace")


def test_quirk_20_python_falls_back_to_polling_when_a_tail_is_silent(objects: Objects):
    quiet = objects.made("POST", "/sandboxes", {})["id"]
    began = time.monotonic()
    with objects.opened(Wanted("GET", f"/sandboxes/{quiet}/events"), objects.admin) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        assert [next(comments), next(comments)] == [": open", ": hb"]
    assert time.monotonic() - began < CLIENTS_GIVE_UP / 2


def test_quirk_21_python_splits_frames_at_unicode_line_separators(objects: Objects, sandbox: str):
    wanted = Wanted("POST", f"{sandbox}/exec/stream", body={"command": "printf 'a\\342\\200\\250b\\302\\205c\\n'"})
    with objects.opened(wanted, objects.admin) as answer:
        raw = answer.read()
    assert raw.isascii()
    assert b'"line":"a\\u2028b\\u0085c"' in raw


def test_quirk_22_python_loses_the_names_of_the_tenants_stream(objects: Objects):
    frame = next(frames(objects, Wanted("GET", "/events/stream", {"after": objects.ids["event"]})))
    assert json.loads(frame["data"])["type"] == frame["event"]


def test_quirk_23_python_surfaces_dropped_connections_so_idle_ones_stay_longer_than_it_keeps_them(objects: Objects):
    address = urlsplit(objects.world.system.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        kept = connection.sock
    assert connection.sock is kept, "the connection was not kept"
    connection.close()
    assert serving.KEEP_ALIVE > 90  # Go keeps them for 90 s, the others for 60


def test_quirk_24_a_refused_stream_hides_its_error_in_python_so_plain_routes_say_the_same(objects: Objects, sandbox: str):
    for key, path, status in (("msk_live_wrong", sandbox, 401), (objects.admin, "/sandboxes/none", 404)):
        stream, plain = (objects.send(Wanted("GET", target), key) for target in (f"{path}/events", path))
        assert (stream.status_code, plain.status_code) == (status, status)
        assert stream.headers["content-type"] == "application/json"
        assert stream.json()["code"] == plain.json()["code"]


def test_quirk_25_strict_types_of_times_numbers_and_process_ids(objects: Objects, sandbox: str):
    record = get(objects, sandbox)["data"]
    for name, value in {**record, **record["resource_contract"]}.items():
        assert not isinstance(value, float), f"{name}: Go reads integers"
    for name in ("created_at", "updated_at", "started_at", "ready_at"):
        assert datetime.fromisoformat(record[name].replace("Z", "+00:00")).tzinfo
        assert len(record[name].rpartition(".")[2]) in (4, 7), "Python 3.9 reads 3 or 6 digits"
    pid = get(objects, f"{sandbox}/processes/{objects.ids['process']}")["pid"]
    assert isinstance(pid, str)
    assert int(pid) > 0
