"""What the walkthrough's page asks for and this client cannot do, and the call that does it: see the mark of each test."""

import json
from typing import Any

import httpx
import miosa
import pytest

from ...kit.upstreams import Internet, Response
from .stage import GITHUB, Stage

replaced = pytest.mark.replaced
REFUSED = "curl -s -o /dev/null https://example.com/"


@replaced("secret.name", 'secret["name"]')
def test_secrets_are_plain_dictionaries(own: Any):
    own.secrets.set(name="k", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    secret = own.secrets.list()[0]
    assert not hasattr(secret, "name")
    assert secret["name"] == "k"


@replaced("policy.mode", 'policy["mode"]')
def test_policies_are_plain_dictionaries(own: Any):
    policy = own.network.policies()[0]
    assert not hasattr(policy, "mode")
    assert policy["mode"] == "audit_only"


@replaced("event.request_transforms.secrets.swapped", 'event["request_transforms"]["secrets"]["swapped"]')
def test_events_are_plain_dictionaries(own: Any):
    own.exec(f"curl -s -o /dev/null https://{GITHUB}/repos/o/r/issues")
    event = own.audit.list()[0]
    assert not hasattr(event, "action")
    assert event["request_transforms"]["secrets"]["swapped"] == []


@replaced("sandbox.network.lockdown()", 'sandbox.network.lockdown(policy_id=sandbox.network.policies()[0]["id"])')
def test_lockdown_needs_the_policy_that_the_sandbox_was_born_with(own: Any):
    with pytest.raises(miosa.MiosaError, match="policy_id") as refused:
        own.network.lockdown()
    assert refused.value.status_code is None, "nothing was sent"
    assert own.network.lockdown(policy_id=own.network.policies()[0]["id"])["mode"] == "enforce"


@replaced("sandbox.network.observe()", 'sandbox.network.observe(policy_id=sandbox.network.policies()[0]["id"])')
def test_observe_needs_it_too(own: Any):
    with pytest.raises(miosa.MiosaError, match="policy_id"):
        own.network.observe()
    assert own.network.observe(policy_id=own.network.policies()[0]["id"])["mode"] == "audit_only"


@replaced("sandbox.network.pending()", 'sandbox.audit.list(action="reject")')
def test_refusals_are_found_in_the_audit_log(own: Any):
    assert not hasattr(own.network, "pending")
    own.network.lockdown(policy_id=own.network.policies()[0]["id"])
    own.exec(REFUSED)
    assert [event["host"] for event in own.audit.list(action="reject")] == ["example.com"]


@replaced("sandbox.network.get_policy()", "sandbox.network.policies()[0]")
def test_a_policy_is_found_in_the_list_with_its_rules(own: Any):
    assert not hasattr(own.network, "get_policy")
    own.network.allow("a.example")
    assert [rule["host"] for rule in own.network.policies()[0]["rules"]] == ["a.example"]


@replaced("sandbox.audit.export()", "json.dumps(sandbox.audit.list(limit=1000))")
def test_an_export_is_a_list_written_down(own: Any):
    assert not hasattr(own.audit, "export")
    own.exec(f"curl -s -o /dev/null https://{GITHUB}/repos/o/r/issues")
    assert json.loads(json.dumps(own.audit.list(limit=1000)))[0]["host"] == GITHUB


@replaced("sandbox.secrets.reauthorize(name)", "sandbox.secrets.connect(provider, expose_as_env=name)")
def test_an_account_is_authorised_again_by_connecting_it_again(own: Any, stage: Stage):
    assert not hasattr(own.secrets, "reauthorize")
    placeholders = []
    for _ in range(2):
        flow = own.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
        stage.consent(flow.authorize_url)
        secret = flow.wait_for_completion(timeout=30, poll_interval=0.1, secret_id=flow.data["secret_id"])
        placeholders.append((secret["id"], own.exec("printenv GITHUB_TOKEN").stdout))
    assert placeholders[0] == placeholders[1]


@replaced("flow.wait_for_completion(), with several accounts", 'flow.wait_for_completion(secret_id=flow.data["secret_id"])')
def test_the_wait_is_told_which_connection_is_meant(client: Any, own: Any, kind: str, stage: Stage):
    other = client.sandboxes.create(name=f"connected-{kind}")
    ready = other.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
    stage.consent(ready.authorize_url)
    flow = own.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
    assert flow.wait_for_completion(timeout=10, poll_interval=0.1)["resource_id"] == other.id, "it takes the first account that is ready"
    stage.consent(flow.authorize_url)
    mine = flow.wait_for_completion(timeout=30, poll_interval=0.1, secret_id=flow.data["secret_id"])
    assert mine["resource_id"] == own.id
    other.destroy()


@replaced("sandbox.secrets.add_machine_oauth(...)", "POST /api/v1/egress/oauth/machine")
def test_a_machine_is_connected_by_a_plain_request(own: Any, stage: Stage, internet: Internet):
    assert not hasattr(own.secrets, "add_machine_oauth")
    token = json.dumps({"access_token": "the-token-of-a-machine", "token_type": "bearer", "expires_in": 3600})
    internet.answer("idp.test", lambda request: Response(body=token.encode()))
    internet.answer("api.idp.test", lambda request: Response(body=(request.header("Authorization") or "").encode()[-7:]))
    machine = {"name": "robot", "token_url": "https://idp.test/token", "client_id": "robot", "client_secret": "secret"}
    place = {"expose_as_env": "ROBOT_TOKEN", "allowed_hosts": ["api.idp.test"], "resource_id": own.id, "resource_type": "sandbox"}
    answer = httpx.post(
        f"{stage.base_url}/api/v1/egress/oauth/machine",
        headers={"Authorization": f"Bearer {stage.api_key}"},
        json=machine | place,
    )
    assert (answer.status_code, answer.json()["data"]["status"]) == (201, "ready")
    assert own.exec('curl -s -H "Authorization: Bearer $ROBOT_TOKEN" https://api.idp.test/').stdout == "machine"
