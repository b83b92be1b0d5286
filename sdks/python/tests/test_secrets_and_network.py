"""Secrets, connected accounts, rules and keys, as they go over the wire."""

import pytest
from openmiosa import ConnectionFailedError, WaitTimeoutError

SECRET = {"id": "sec_1", "name": "openai_key", "type": "api_key", "preview": "f00d", "bound_hosts": ["api.openai.com"], "version": 1}
BINDING = {"id": "bnd_1", "secret_id": "sec_1", "placeholder": "miosa-tok-0123", "expose_as_env": "OPENAI_API_KEY"}
HERE = {"resource_id": "sbx_1", "resource_type": "sandbox"}
STARTED = {"data": {"authorize_url": "https://provider.example/authorize?state=st_1", "state": "st_1", "provider": "github"}}


def test_a_secret_of_a_sandbox_carries_the_sandbox(server, sandbox):
    server.answers("POST", "/egress/secrets", {"data": SECRET, "binding": BINDING}, 201)
    kept = sandbox.secrets.set(name="openai_key", value="sk-real", expose_as_env="OPENAI_API_KEY", allowed_hosts=("api.openai.com",))
    sent = server.requests("POST", "/egress/secrets")[0].body
    assert sent.items() >= {**HERE, "name": "openai_key", "value": "sk-real", "allowed_hosts": ["api.openai.com"]}.items()
    assert kept.binding.placeholder == "miosa-tok-0123"
    assert (kept.name, kept.preview, kept.type) == ("openai_key", "f00d", "api_key")


def test_a_secret_of_the_tenant_carries_no_sandbox(server, client):
    server.answers("POST", "/egress/secrets", {"data": SECRET}, 201)
    client.secrets.set(name="openai_key", value="sk-real", scope="tenant")
    assert "resource_id" not in server.seen[0].body


def test_secrets_are_rotated_by_name(server, sandbox):
    server.answers("PATCH", "/egress/secrets/openai_key", {"data": {**SECRET, "version": 2}})
    assert sandbox.secrets.rotate("openai_key", new_value="sk-new").version == 2
    seen = server.requests("PATCH", "/egress/secrets/openai_key")[0]
    assert (seen.body, seen.query) == ({"value": "sk-new"}, HERE)


def test_secrets_are_listed_as_records(server, sandbox):
    server.answers("GET", "/egress/secrets", {"secrets": [SECRET]})
    assert [(one.name, one.preview) for one in sandbox.secrets.list(provider="github")] == [("openai_key", "f00d")]
    assert server.requests("GET", "/egress/secrets")[0].query == {**HERE, "provider": "github"}


def test_connect_waits_for_this_consent_and_no_other(server, sandbox):
    server.answers("POST", "/egress/oauth/start", STARTED)
    pending, done = {"data": {"status": "pending"}}, {"data": {"status": "completed", "secret_id": "sec_2"}}
    server.on("GET", "/egress/oauth/status", server.reply(200, pending), server.reply(200, done))
    server.answers("GET", "/egress/secrets/sec_2", {"data": {**SECRET, "id": "sec_2", "name": "github_token"}})
    flow = sandbox.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
    assert flow.authorize_url == "https://provider.example/authorize?state=st_1"
    assert flow.wait_for_completion(timeout=5, poll_interval=0.01).name == "github_token"
    assert [one.query for one in server.requests("GET", "/egress/oauth/status")] == [{"state": "st_1"}] * 2


@pytest.mark.parametrize("status", ["failed", "denied", "error"])
def test_a_consent_that_was_refused_says_why(server, sandbox, status):
    server.answers("POST", "/egress/oauth/start", STARTED)
    server.answers("GET", "/egress/oauth/status", {"data": {"status": status, "error": "access_denied", "message": "the user said no"}})
    with pytest.raises(ConnectionFailedError, match="the user said no"):
        sandbox.secrets.connect("github").wait_for_completion(timeout=5)


def test_a_consent_that_does_not_come_is_waited_for_so_long(server, sandbox):
    server.answers("POST", "/egress/oauth/start", STARTED)
    server.answers("GET", "/egress/oauth/status", {"data": {"status": "pending"}})
    with pytest.raises(WaitTimeoutError):
        sandbox.secrets.connect("github").wait_for_completion(timeout=0.05, poll_interval=0.01)


def test_the_device_flow_shows_a_code(server, sandbox):
    code = {"user_code": "ABCD-1234", "verification_uri": "https://provider.example/device"}
    device = {"state": "st_1", "flow": "device", "interval": 5, **code}
    server.answers("POST", "/egress/oauth/start", {"data": device})
    flow = sandbox.secrets.connect("github", flow="device")
    assert (flow.user_code, flow.verification_uri, flow.authorize_url) == ("ABCD-1234", "https://provider.example/device", None)
    assert "st_1" not in repr(flow) + repr(flow.info)


def test_machine_oauth_and_reauthorize_have_their_routes(server, sandbox):
    server.answers("POST", "/egress/oauth/machine", {"data": {**SECRET, "name": "crm"}, "binding": None}, 201)
    server.answers("POST", "/egress/secrets/crm/reauthorize", STARTED)
    made = sandbox.secrets.add_machine_oauth(name="crm", token_url="https://t.example", client_id="c", client_secret="s", scopes=["read"])
    assert made.name == "crm"
    assert sandbox.secrets.reauthorize("crm").state == "st_1"


@pytest.mark.parametrize(("hosts", "sent"), [(None, {}), ([], {"hosts": []}), (["a.example"], {"hosts": ["a.example"]})])
def test_lockdown_tells_no_hosts_from_no_argument(server, sandbox, hosts, sent):
    locked = {"id": "pol_1", "mode": "enforce", "allow_rules": [{"id": "rul_1", "host": "a.example"}]}
    server.answers("POST", "/egress/lockdown", {"data": locked})
    policy = sandbox.network.lockdown(hosts)
    assert (policy.mode, policy.allow_rules[0].host) == ("enforce", "a.example")
    assert server.requests("POST", "/egress/lockdown")[0].body == {**HERE, **sent}


def test_the_policy_of_a_sandbox_comes_with_its_rules(server, sandbox):
    listed = [{"id": "pol_0", "mode": "audit_only"}, {"id": "pol_1", "mode": "enforce", "resource_id": "sbx_1"}]
    server.answers("GET", "/egress/policies", {"policies": listed})
    whole = {**listed[1], "deny_rules": [{"id": "rul_1", "host": "b.example"}]}
    server.answers("GET", "/egress/policies/pol_1", {"data": whole})
    policy = sandbox.network.get_policy()
    assert (policy.mode, [rule.host for rule in policy.deny_rules]) == ("enforce", ["b.example"])


def test_rules_are_removed_by_host(server, sandbox):
    server.on("DELETE", "/egress/allowlist/api.openai.com", server.reply(204))
    sandbox.network.remove("api.openai.com")
    assert server.requests("DELETE", "/egress/allowlist/api.openai.com")[0].query == HERE


def test_suggestions_and_pending_have_counts(server, sandbox):
    server.answers("GET", "/egress/audit/suggestions", {"suggestions": [{"host": "a.example", "count": 3, "methods": ["GET"]}]})
    server.answers("GET", "/egress/pending", {"pending": [{"host": "b.example", "port": 443, "count": 1, "reason": "host-denied"}]})
    assert [(one.host, one.count) for one in sandbox.network.suggestions()] == [("a.example", 3)]
    assert [(one.host, one.reason) for one in sandbox.network.pending()] == [("b.example", "host-denied")]


def test_a_new_key_is_shown_once(server, client):
    server.answers("POST", "/api-keys", {"data": {"id": "key_1", "name": "ci", "token": "msk_live_new"}}, 201)
    server.answers("GET", "/api-keys", {"data": [{"id": "key_1", "name": "ci", "prefix": "msk_live_new"}]})
    assert client.api_keys.create("ci", scopes=["audit:read"]).token == "msk_live_new"
    assert [one.token for one in client.api_keys.list()] == [None]


def test_an_export_is_written_as_it_comes(server, sandbox, tmp_path):
    server.on("GET", "/egress/audit/export", server.reply(200, chunks=[b"id,host\n", b"evt_1,a.example\n"]))
    assert sandbox.audit.export("csv") == b"id,host\nevt_1,a.example\n"
    assert sandbox.audit.export("csv", to=tmp_path / "out.csv", host="a.example") == b""
    assert (tmp_path / "out.csv").read_bytes() == b"id,host\nevt_1,a.example\n"
    assert server.requests("GET", "/egress/audit/export")[1].query == {**HERE, "format": "csv", "host": "a.example"}
