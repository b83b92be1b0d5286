"""Bad input through the real API: a clear error in the wire's form, and nothing is lost by it."""

import json

import pytest

from ..kit.canary import canary
from ..kit.oracle import Row
from ..kit.system import World

LONG = "n" * 1024 * 1024

# what is wrong: (method, path, body, status, a word that its message holds)
TABLE = {
    "a body that is not JSON": ("POST", "/sandboxes", b"{name:", 400, "JSON"),
    "a body that is JSON but no object": ("POST", "/sandboxes", b"[1, 2]", (400, 422), ""),
    "a name of one mebibyte": ("POST", "/sandboxes", {"name": LONG}, (413, 422), "body"),
    "a name that is no text": ("POST", "/sandboxes", {"name": {"a": 1}}, 422, "name"),
    "a name with a control character": ("POST", "/sandboxes", {"name": "a\u0007b"}, 422, "name"),
    "a template that does not exist": ("POST", "/sandboxes", {"template_id": "no-such-template"}, (404, 422), "no-such-template"),
    "more memory than allowed": ("POST", "/sandboxes", {"memory_mb": 10**9, "cpu_count": 1}, 422, "memory"),
    "a variable that is none": (
        "POST",
        "/egress/secrets",
        {"name": "x", "value": "v" * 20, "expose_as_env": "1-BAD NAME"},
        422,
        "expose_as_env",
    ),
    "an empty value": ("POST", "/egress/secrets", {"name": "x", "value": ""}, 422, "value"),
    "a value of 70 KiB": ("POST", "/egress/secrets", {"name": "x", "value": "v" * 70 * 1024}, (413, 422), "value"),
    "a value with a line break": ("POST", "/egress/secrets", {"name": "x", "value": "a\r\nX-Injected: 1"}, 422, "value"),
    "a secret without a name": ("POST", "/egress/secrets", {"value": "v" * 20}, 422, "name"),
    "a secret bound to no host name": (
        "POST",
        "/egress/secrets",
        {"name": "x", "value": "v" * 20, "allowed_hosts": ["not a host"]},
        422,
        "host",
    ),
    "a secret bound to everything": ("POST", "/egress/secrets", {"name": "x", "value": "v" * 20, "allowed_hosts": ["*"]}, 422, "host"),
    "a secret bound to a public suffix": (
        "POST",
        "/egress/secrets",
        {"name": "x", "value": "v" * 20, "allowed_hosts": ["*.com"]},
        422,
        "host",
    ),
    "a rule that is no host": ("POST", "/egress/allowlist", {"host": "http://ok.test/path", "effect": "allow"}, 422, "host"),
    "a rule with an impossible label": ("POST", "/egress/allowlist", {"host": "a..b", "effect": "allow"}, 422, "host"),
    "a rule with an unknown effect": ("POST", "/egress/allowlist", {"host": "ok.test", "effect": "maybe"}, 422, "effect"),
    "a rule with an injected line": ("POST", "/egress/allowlist", {"host": 'a.test"\nallow all', "effect": "allow"}, 422, "host"),
    "an unknown mode": ("PATCH", "/egress/policies", {"mode": "off"}, 422, "mode"),
    "an unknown OAuth provider": ("POST", "/egress/oauth/start", {"provider": "nobody"}, (404, 422), "nobody"),
    "an OAuth state that is unknown": ("GET", "/egress/oauth/status?state=made-up", None, 404, "state"),
    "a sandbox that does not exist": ("GET", "/sandboxes/sbx_00000000000000000000000000", None, 404, ""),
    "a secret that does not exist": ("GET", "/egress/secrets/sec_00000000000000000000000000", None, 404, ""),
    "a cursor that is none": ("GET", "/egress/audit?cursor=%00", None, (400, 404, 422), "cursor"),
    "a limit beyond measure": ("GET", "/egress/audit?limit=1000000000", None, (200, 422), ""),
    "a time that is none": ("GET", "/egress/audit?since=yesterday-ish", None, (400, 422), "since"),
    "a scope that does not exist": ("POST", "/api-keys", {"name": "k", "scopes": ["everything:write"]}, 422, "scope"),
    "a route that does not exist": ("GET", "/no/such/route", None, 404, ""),
    "a method that is not offered": ("PUT", "/sandboxes", {}, 405, ""),
}


@pytest.mark.parametrize("case", TABLE)
def test_bad_input_gets_a_clear_error(world: World, case: str):
    method, path, body, status, word = TABLE[case]
    before = (
        world.call("GET", "/sandboxes").json(),
        world.call("GET", "/egress/secrets").json(),
        world.call("GET", "/egress/allowlist").json(),
    )
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    answer = world.call(method, path, content=content, headers={"Content-Type": "application/json"})
    allowed = status if isinstance(status, tuple) else (status,)
    assert answer.status_code in allowed, answer.text[:500]
    if answer.status_code >= 400:
        assert_is_an_error(answer.json())
        assert word.lower() in answer.text.lower()
        assert len(answer.content) < 4096, "an error does not repeat a megabyte"
    after = (
        world.call("GET", "/sandboxes").json(),
        world.call("GET", "/egress/secrets").json(),
        world.call("GET", "/egress/allowlist").json(),
    )
    assert after == before


def assert_is_an_error(body: dict) -> None:
    """The wire's body of an error: nested and flat, with the request's id."""
    assert body["error"]["code"] == body["code"]
    assert body["error"]["message"] == body["message"] != ""
    assert body["request_id"].startswith("req_")


def test_unknown_fields_lose_nothing(world: World):
    answer = world.call("POST", "/sandboxes", json={"name": "with-more", "colour": "red", "nested": {"a": [1]}})
    assert answer.status_code in (201, 422)
    if answer.status_code == 422:
        assert "colour" in answer.text
    else:
        world.call("DELETE", f"/sandboxes/{answer.json()['data']['id']}")


@pytest.mark.parametrize("key", ["", "msk_live_wrong", "Basic abc", "msk_live_" + "0" * 40])
def test_a_wrong_key_is_refused(world: World, key: str):
    answer = world.call("GET", "/sandboxes", headers={"Authorization": f"Bearer {key}" if key else "Basic"})
    assert answer.status_code == 401
    assert_is_an_error(answer.json())


def test_a_key_without_the_scope_is_refused_and_told_which(world: World):
    made = world.call("POST", "/api-keys", json={"name": "reader", "scopes": ["sandboxes:read"]}).json()["data"]
    answer = world.call("PATCH", "/egress/policies", json={"mode": "audit_only"}, headers={"Authorization": f"Bearer {made['token']}"})
    assert answer.status_code == 403
    assert "network:write" in answer.text


def test_loosening_needs_the_right_to_write_the_network(row: Row):
    made = row.world.call(
        "POST", "/api-keys", json={"name": "almost", "scopes": ["sandboxes:write", "secrets:write", "network:read"]}
    ).json()["data"]
    row.sandbox.network.lockdown(["ok.test"])
    body = {"resource_id": row.sandbox.id, "resource_type": "sandbox"}
    answer = row.world.call("POST", "/egress/observe", json=body, headers={"Authorization": f"Bearer {made['token']}"})
    assert answer.status_code == 403
    assert row.sandbox.network.get_policy().mode == "enforce"


def test_a_lockdown_without_any_rule_lists_the_hosts_observed(row: Row):
    row.expect("ok2.test", "allow")
    row.curl("https://ok2.test/")
    row.world.wait(row.world.shipped, "the records")
    answer = row.world.call("POST", "/egress/lockdown", json={"resource_id": row.sandbox.id, "resource_type": "sandbox"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "NO_RULES"
    assert [host["host"] for host in answer.json()["error"]["details"]["observed"]] == ["ok2.test"]
    assert row.sandbox.network.get_policy().mode == "audit_only"


def test_exec_in_a_destroyed_sandbox_is_refused(world: World):
    sandbox = world.sandbox()
    sandbox.destroy()
    answer = world.call("POST", f"/sandboxes/{sandbox.id}/exec", json={"command": "true"})
    assert answer.status_code in (404, 409)
    assert_is_an_error(answer.json())


@pytest.mark.parametrize(
    "path",
    ["../../etc/shadow", "/workspace/../../etc/shadow", "/proc/self/root/etc/shadow", "/proc/1/environ", "/sys/kernel", "/dev/mem", "a\0b"],
)
def test_a_path_does_not_lead_out(row: Row, path: str):
    answer = row.world.call("GET", f"/sandboxes/{row.sandbox.id}/fs/download", params={"path": path})
    assert answer.status_code in (400, 404)
    assert b"root:" not in answer.content


def test_a_symlink_does_not_lead_out(row: Row):
    links = {"abs": "/etc/shadow", "rel": "../../../../etc/shadow", "root": "/", "magic": "/proc/1/root/etc/shadow"}
    row.run("; ".join(f"ln -s {target} /workspace/{name}" for name, target in links.items()))
    for path in ("abs", "rel", "root/etc/shadow", "magic", "root/proc/1/root/etc/shadow"):
        answer = row.world.call("GET", f"/sandboxes/{row.sandbox.id}/fs/download", params={"path": f"/workspace/{path}"})
        assert answer.status_code in (400, 404), path
    body = {"path": "/workspace/root/tmp/through", "content_base64": "aGk="}
    answer = row.world.call("POST", f"/sandboxes/{row.sandbox.id}/fs/write", json=body)
    assert row.run("cat /tmp/through").stdout == "hi" or answer.status_code in (400, 404)


def test_a_fifo_does_not_hang_a_reader(row: Row):
    row.run("mkfifo /workspace/fifo")
    answer = row.world.call("GET", f"/sandboxes/{row.sandbox.id}/fs/download", params={"path": "/workspace/fifo"})
    assert answer.status_code in (400, 404, 409)


def test_another_tenants_things_are_not_found(row: Row):
    stranger = row.world.stranger
    secret = row.sandbox.secrets.get("s1")
    rule = row.sandbox.network.allow("ok2.test")
    row.expect("ok2.test", "allow")
    row.curl("https://ok2.test/")
    row.world.wait(row.world.shipped, "the records")
    event = row.decisions()[0]
    for method, path, body in [
        ("GET", f"/sandboxes/{row.sandbox.id}", None),
        ("POST", f"/sandboxes/{row.sandbox.id}/exec", {"command": "id"}),
        ("GET", f"/sandboxes/{row.sandbox.id}/fs/download?path=/workspace/probe.py", None),
        ("DELETE", f"/sandboxes/{row.sandbox.id}", None),
        ("GET", f"/egress/secrets/{secret.id}", None),
        ("PATCH", f"/egress/secrets/{secret.id}", {"value": canary()}),
        ("DELETE", f"/egress/secrets/{secret.id}", None),
        ("DELETE", f"/egress/allowlist/{rule.id}", None),
        ("GET", f"/egress/audit/{event.id}", None),
        ("POST", "/egress/lockdown", {"resource_id": row.sandbox.id, "resource_type": "sandbox", "hosts": []}),
    ]:
        answer = row.world.call(method, path, json=body, headers={"Authorization": f"Bearer {stranger}"})
        assert answer.status_code == 404, (method, path, answer.text)
    listed = row.world.call("GET", f"/egress/audit?resource_id={row.sandbox.id}", headers={"Authorization": f"Bearer {stranger}"})
    assert listed.status_code == 404 or listed.json()["events"] == []


def test_a_value_is_never_given_back(row: Row):
    for path in ("/egress/secrets", "/egress/secrets/s1", "/egress/bindings", "/sandboxes"):
        answer = row.world.call("GET", path, params={"resource_id": row.sandbox.id, "resource_type": "sandbox"})
        row.received.append(answer.content)
    assert row.sandbox.secrets.get("s1").preview
