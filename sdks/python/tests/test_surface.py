"""Every method that is one request: what it sends, and what it makes of the answer."""

from typing import Any

import pytest
from openmiosa import Readiness, Sandbox

NEW = {"id": "sbx_2", "name": "copy", "state": "running"}
RULE, POLICY, SECRET = {"id": "rul_1", "host": "a.example"}, {"id": "pol_1", "mode": "enforce"}, {"id": "sec_1", "name": "k"}
KEY, TOKEN = {"id": "key_1", "name": "ci"}, "msk_live_" + "x" * 32
BOX = "/sandboxes/sbx_1"
MINE = {"resource_id": "sbx_1", "resource_type": "sandbox"}

# What is called, the request that it makes, the answer; then the request's query or body, and what the call gives.
CASES: list[tuple[str, str, Any, Any, Any]] = [
    ("client.whoami()", "GET /whoami", {"data": {"key_id": "key_1", "external_user_id": "u"}}, {}, "key_1 u"),
    ("client.templates()", "GET /templates", {"data": [{"id": "host", "layers": 0}]}, {}, ["host"]),
    ("client.sse_ticket()", "POST /sse/ticket", {"ticket": "t", "expires_in": 60}, None, "t"),
    ("client.sandboxes.list(external_user_id='u', tags=['a', 'b']).all()", "GET /sandboxes", {"data": [NEW]},
     {"external_user_id": "u", "tags": "a,b"}, ["sbx_2"]),
    ("sandbox.update(tags=['a'], always_on=False)", f"PATCH {BOX}", {"data": NEW}, {"tags": ["a"], "always_on": False}, "sbx_2"),
    ("sandbox.set_tags(('a', 'b'))", f"PATCH {BOX}/tags", {"data": NEW}, {"tags": ["a", "b"]}, "sbx_2"),
    ("sandbox.fork(name='copy', snapshot_id='snp_1')", f"POST {BOX}/fork",
     {"data": NEW}, {"name": "copy", "snapshot_id": "snp_1"}, "sbx_2"),
    ("sandbox.snapshots.restore('snp_1')", f"POST {BOX}/restore/snp_1", {"data": NEW}, {}, "sbx_2"),
    ("sandbox.snapshots.create('why')", f"POST {BOX}/snapshots", {"data": {"id": "snp_1"}}, {"comment": "why"}, "snp_1"),
    ("sandbox.snapshots.list()", f"GET {BOX}/snapshots", {"data": [{"id": "snp_1"}]}, {}, ["snp_1"]),
    ("sandbox.snapshots.delete('snp_1')", f"DELETE {BOX}/snapshots/snp_1", None, {}, None),
    ("sandbox.usage()", f"GET {BOX}/usage", {"data": {"sandbox_id": "sbx_1", "vcpus": 2}}, {}, "sbx_1"),
    ("sandbox.metrics(window='1h').calls.total", f"GET {BOX}/metrics", {"data": {"calls": {"total": 3}}}, {"window": "1h"}, 3),
    ("sandbox.resume(env={'A': '1'})", f"POST {BOX}/resume", {"data": NEW}, {"env": {"A": "1"}}, "sbx_2"),
    ("sandbox.resources().resources.cpu", f"GET {BOX}/resources", {"data": {"id": "sbx_1", "resources": {"cpu": 2}}}, {}, 2),
    ("sandbox.artifacts().artifacts.files[0]", f"GET {BOX}/artifacts", {"data": {"artifacts": {"files": [{"path": "/workspace/out"}]}}},
     {}, "/workspace/out"),
    ("sandbox.logs(lines=5)", f"GET {BOX}/logs", {"data": {"lines": ["a", "b"]}}, {"lines": "5"}, "a\nb\n"),
    ("sandbox.env.list()", f"GET {BOX}/env", {"data": {"vars": [{"key": "A", "value": "1"}]}}, {}, ["A"]),
    ("sandbox.env.set({'A': '1'})", f"PUT {BOX}/env",
     {"vars": [{"key": "A", "value": "1"}]}, {"vars": [{"key": "A", "value": "1"}]}, ["A"]),
    ("sandbox.env.delete('A')", f"DELETE {BOX}/env/A", {"data": {"vars": []}}, {}, []),
    ("sandbox.previews.open(8000)", f"POST {BOX}/previews", {"data": {"id": "prv_1", "url": "http://127.0.0.1:1", "port": 8000}},
     {"port": 8000}, "prv_1"),
    ("sandbox.previews.list()", f"GET {BOX}/previews", {"data": []}, {}, []),
    ("sandbox.previews.get('prv_1')", f"GET {BOX}/previews/prv_1", {"data": {"id": "prv_1", "url": "u", "port": 1}}, {}, "prv_1"),
    ("sandbox.previews.close('prv_1')", f"DELETE {BOX}/previews/prv_1", None, {}, None),
    ("sandbox.files.mkdir('/workspace/a', parents=False)", f"POST {BOX}/fs/mkdir", {}, {"path": "/workspace/a", "parents": False}, None),
    ("sandbox.files.delete('/workspace/a', recursive=True)", f"DELETE {BOX}/files",
     None, {"path": "/workspace/a", "recursive": "true"}, None),
    ("sandbox.network.allow('a.example', port=443, methods=('GET',), path_glob='/v1/**', note='n', policy_id='pol_1')",
     "POST /egress/allowlist", {"data": RULE},
     {**MINE, "host": "a.example", "effect": "allow", "port": 443, "methods": ["GET"], "path_glob": "/v1/**",
      "note": "n", "policy_id": "pol_1"},
     "rul_1"),
    ("client.network.deny('a.example')", "POST /egress/allowlist", {"data": RULE}, {"host": "a.example", "effect": "deny"}, "rul_1"),
    ("sandbox.network.rules(policy_id='pol_1')", "GET /egress/allowlist", {"rules": [RULE]}, {**MINE, "policy_id": "pol_1"}, ["rul_1"]),
    ("client.network.create_policy(name='p', description='d')", "POST /egress/policies", {"data": POLICY},
     {"name": "p", "mode": "enforce", "default_effect": "deny", "description": "d"}, "pol_1"),
    ("client.network.update_policy('pol_1', name='q')", "PATCH /egress/policies/pol_1", {"data": POLICY}, {"name": "q"}, "pol_1"),
    ("client.secrets.set(name='k', value='v', scope='external_user', external_user_id='u', expose_as_env='K')",
     "POST /egress/secrets", {"data": SECRET},
     {"name": "k", "value": "v", "type": "api_key", "scope": "external_user", "external_user_id": "u", "expose_as_env": "K"}, "sec_1"),
    ("client.secrets.set(name='k', value='v', resource_id='sbx_9')", "POST /egress/secrets", {"data": SECRET},
     {"name": "k", "value": "v", "type": "api_key", "scope": "user", "resource_id": "sbx_9", "resource_type": "sandbox"}, "sec_1"),
    ("client.secrets.list(external_user_id='u', scope='external_user')", "GET /egress/secrets", {"secrets": [SECRET]},
     {"external_user_id": "u", "scope": "external_user"}, ["sec_1"]),
    ("sandbox.secrets.rotate('k', 'w', allowed_hosts=['a.example'])", "PATCH /egress/secrets/k", {"data": SECRET},
     {"value": "w", "allowed_hosts": ["a.example"]}, "sec_1"),
    ("client.secrets.bind('k', expose_as_env='K', resource_id='sbx_9')", "POST /egress/bindings", {"data": {"id": "bnd_1"}},
     {"secret_id": "k", "expose_as_env": "K", "resource_id": "sbx_9", "resource_type": "sandbox"}, "bnd_1"),
    ("sandbox.secrets.bindings(secret_id='sec_1')", "GET /egress/bindings", {"bindings": []}, {**MINE, "secret_id": "sec_1"}, []),
    ("sandbox.audit.list(secret='k', method='GET').all()", "GET /egress/audit",
     {"events": []}, {**MINE, "secret": "k", "method": "GET"}, []),
    ("client.api_keys.create('ci', ip_allowlist=('10.0.0.0/8',))", "POST /api-keys",
     {"data": {**KEY, "token": TOKEN}}, {"name": "ci", "ip_allowlist": ["10.0.0.0/8"]}, "key_1"),
    ("client.api_keys.create_scoped('u', scopes=['audit:read'])", "POST /api-keys/scoped", {"data": KEY},
     {"external_user_id": "u", "scopes": ["audit:read"]}, "key_1"),
    ("client.api_keys.get('key_1')", "GET /api-keys/key_1", {"data": KEY}, {}, "key_1"),
    ("client.api_keys.update('key_1', scopes=['audit:read'])", "PATCH /api-keys/key_1", {"data": KEY}, {"scopes": ["audit:read"]}, "key_1"),
    ("client.api_keys.rotate('key_1').token", "POST /api-keys/key_1/rotate",
     {"data": {**KEY, "token": TOKEN}}, {"overlap_seconds": 0}, TOKEN),
    ("client.api_keys.delete('key_1', keep_children=True)", "DELETE /api-keys/key_1", None, {"keep_children": "true"}, None),
    ("client.api_keys.events('key_1', type='used').all()", "GET /api-keys/key_1/events",
     {"data": [{"id": "adm_1"}]}, {"type": "used"}, ["adm_1"]),
    ("client.api_keys.presets()", "GET /api-keys/presets", {"data": [{"name": "reader", "scopes": ["audit:read"]}]}, {}, ["reader"]),
    ("client.api_keys.save_preset('reader', ['audit:read'])", "POST /api-keys/presets", {"data": {"name": "reader"}},
     {"name": "reader", "scopes": ["audit:read"]}, "reader"),
    ("client.api_keys.delete_preset('reader')", "DELETE /api-keys/presets/reader", None, {}, None),
    ("client.tokens.create_scoped('u', scopes=['audit:read'], expires_in_seconds=60).token", "POST /tokens/scoped",
     {"data": {"token": TOKEN}},
     {"user_id": "u", "scopes": ["audit:read"], "expires_in_seconds": 60}, TOKEN),
    ("client.admin_log.list(action='identity:key:create').all()", "GET /audit-log", {"data": [{"id": "adm_1"}]},
     {"action": "identity:key:create"}, ["adm_1"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "request_line", "answer", "sent", "gives"), CASES, ids=[case[0] for case in CASES])
def test_a_method_is_one_request(server, client, sandbox, call, request_line, answer, sent, gives):
    method, path = request_line.split()
    server.on(method, path, server.reply(204) if answer is None else server.reply(200, answer))
    given = eval(call, {"client": client, "sandbox": sandbox})
    assert named(given) == gives
    seen = server.requests(method, path)[-1]
    assert (seen.body if method in ("POST", "PUT", "PATCH") else seen.query) == sent


def named(given: Any) -> Any:
    """A short name for what a call gave."""
    if isinstance(given, list):
        return [named(one) for one in given]
    if hasattr(given, "external_user_id") and hasattr(given, "key_id"):
        return f"{given.key_id} {given.external_user_id}"
    names = [getattr(given, name, None) for name in ("id", "sandbox_id", "ticket", "path", "key", "name")]
    return next((name for name in names if name), given)


def test_a_restored_sandbox_is_a_handle(server, sandbox):
    server.answers("POST", f"{BOX}/restore/snp_1", {"data": NEW})
    server.answers("POST", "/sandboxes/sbx_2/exec", {"data": {"stdout": "hi\n", "exit_code": 0}})
    restored = sandbox.snapshots.restore("snp_1")
    assert isinstance(restored, Sandbox)
    assert restored.exec("echo hi").stdout == "hi\n"


def test_readiness_says_what_is_missing(server, sandbox):
    waiting = {"clock": {"status": "waiting"}}
    server.answers("GET", f"{BOX}/readiness", {"data": {"ready": False, "status": "starting", "components": waiting}})
    assert sandbox.readiness() == Readiness(ready=False, status="starting", components=waiting)


def test_waiting_listens_to_the_stream_instead_of_asking_again_and_again(server, client):
    starting = {"data": {**NEW, "state": "provisioning"}}
    server.on("GET", "/sandboxes/sbx_2", server.reply(200, starting), server.reply(200, {"data": NEW}))
    server.streams("GET", "/sandboxes/sbx_2/readiness/stream", ": open\n\n", 'event: ready\ndata: {"type":"ready","ready":true}\n\n')
    assert client.sandboxes.get("sbx_2").wait_until_ready().state == "running"
    assert len(server.requests("GET", "/sandboxes/sbx_2")) == 2


def test_logs_stream_line_by_line(server, sandbox):
    server.streams("GET", f"{BOX}/logs/stream", 'data: {"type":"stdout","line":"a"}\n\n', 'data: {"type":"stderr","line":"b"}\n\n')
    assert list(sandbox.logs_stream()) == ["a", "b"]


@pytest.mark.parametrize(
    "call",
    [
        "network.allow('a.example', methods='GET')",
        "network.lockdown('a.example')",
        "api_keys.create('x', scopes='audit:read')",
        "secrets.set(name='x', value='v', allowed_hosts='a.example')",
        "secrets.connect('github', scopes='repo')",
    ],
)
def test_one_string_where_a_list_is_meant_is_refused(client, call):
    with pytest.raises(TypeError, match="not one string"):
        eval(f"client.{call}", {"client": client})
