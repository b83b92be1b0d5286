"""Rows 7 to 12, 31 and 32: secrets, connections and bindings."""

from typing import Any

import miosa
import pytest

from .stage import OPENAI, Stage

method = pytest.mark.method
CALL = f'curl -s -o /dev/null -w "%{{http_code}}" -H "Authorization: Bearer $OPENAI_API_KEY" https://{OPENAI}/v1/models'


@method(7, "sandbox.secrets.set")
def test_a_secret_of_a_sandbox_is_a_description_without_the_value(own: Any):
    made = own.secrets.set(name="k", value="sk-" + "v" * 40, expose_as_env="OPENAI_API_KEY", metadata={"a": 1})
    assert (made["name"], made["type"], made["scope"], made["resource_id"]) == ("k", "api_key", "user", own.id)
    assert (made["masked_value"], made["metadata"], "value" in made) == ("********vvvv", {"a": 1}, False)


@method(7, "secrets.set")
def test_a_secret_of_a_user_outside_reaches_the_sandboxes_of_that_user(client: Any, kind: str, stage: Stage):
    key = stage.openai_key(f"inherited-{kind}")
    owner = {"external_user_id": f"cust-{kind}"}
    made = client.secrets.set(name=f"key-{kind}", value=key, scope="external_user", expose_as_env="OPENAI_API_KEY", **owner)
    theirs = client.sandboxes.create(name=f"customer-{kind}", **owner)
    assert theirs.exec(CALL).stdout == "200"
    assert stage.calls(OPENAI)[-1]["credential"] == f"inherited-{kind}"
    theirs.destroy()
    client.secrets.delete(made["id"])


@method(7, "sandbox.secrets.set(allowed_hosts=)")
def test_a_secret_goes_to_the_hosts_that_an_unknown_keyword_names(own: Any):
    made = own.secrets.set(name="k", value="v" * 30, expose_as_env="ANY_TOKEN", allowed_hosts=["api.example.com"])
    assert made["bound_hosts"] == ["api.example.com"]


@method(8, "sandbox.secrets.list")
def test_a_sandbox_lists_its_own_secrets(own: Any):
    own.secrets.set(name="k", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    assert [(secret["name"], secret["expose_as_env"]) for secret in own.secrets.list()] == [("k", "OPENAI_API_KEY")]


@method(8, "secrets.list")
def test_a_list_honours_its_filters(client: Any, own: Any):
    made = own.secrets.set(name="k", value="v" * 30, type="bearer", expose_as_env="OPENAI_API_KEY")
    assert [secret["id"] for secret in client.secrets.list(type="bearer", resource_id=own.id)] == [made["id"]]
    assert client.secrets.list(provider="github", resource_id=own.id) == []


@method(9, "secrets.get")
@method(9, "sandbox.secrets.get")
def test_a_secret_is_found_by_id_and_by_name(client: Any, own: Any, kind: str):
    made = own.secrets.set(name=f"found-{kind}", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    assert client.secrets.get(made["id"])["name"] == f"found-{kind}"
    assert own.secrets.get(f"found-{kind}")["id"] == made["id"]


@method(10, "sandbox.secrets.connect")
def test_connect_gives_a_page_and_a_state(own: Any):
    flow = own.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
    assert flow.authorize_url.startswith("https://github.com/login/oauth/authorize?")
    assert (flow.provider, flow.state in flow.authorize_url) == ("github", True)


@method(10, "flow.wait_for_completion")
def test_a_connection_is_pending_until_the_person_consents(own: Any, stage: Stage):
    flow = own.secrets.connect("github", expose_as_env="GITHUB_TOKEN")
    secret = flow.data["secret_id"]
    with pytest.raises(TimeoutError):
        flow.wait_for_completion(timeout=0.3, poll_interval=0.1, secret_id=secret)
    stage.consent(flow.authorize_url)
    assert flow.wait_for_completion(timeout=30, poll_interval=0.1, secret_id=secret)["status"] == "ready"


@method(10, "secrets.connect")
def test_an_account_is_connected_for_a_user_outside(client: Any, kind: str, stage: Stage):
    owner = {"scope": "external_user", "external_user_id": f"octo-{kind}"}
    flow = client.secrets.connect("github", expose_as_env="GITHUB_TOKEN", **owner)
    stage.consent(flow.authorize_url)
    secret = flow.wait_for_completion(timeout=30, poll_interval=0.1, secret_id=flow.data["secret_id"])
    assert (secret["scope"], secret["external_user_id"], secret["type"]) == ("external_user", f"octo-{kind}", "oauth_connect")
    client.secrets.delete(secret["id"])


@method(12, "secrets.providers")
def test_providers_are_listed_with_their_scopes(client: Any):
    found = {provider["name"]: provider for provider in client.secrets.providers()}
    assert (found["github"]["display_name"], isinstance(found["github"]["scopes"], list)) == ("GitHub", True)


@method(31, "sandbox.secrets.rotate")
def test_a_rotated_secret_keeps_its_placeholder_and_changes_on_the_wire(own: Any, kind: str, stage: Stage):
    old, new = (stage.openai_key(f"rotate-{which}-{kind}") for which in ("old", "new"))
    own.secrets.set(name=f"rotated-{kind}", value=old, expose_as_env="OPENAI_API_KEY")
    before = own.exec("printenv OPENAI_API_KEY").stdout
    assert own.exec(CALL).stdout == "200"
    assert own.secrets.rotate(f"rotated-{kind}", new_value=new)["version"] == 2
    assert (own.exec(CALL).stdout, own.exec("printenv OPENAI_API_KEY").stdout) == ("200", before)
    assert [call["credential"] for call in stage.calls(OPENAI)][-2:] == [f"rotate-old-{kind}", f"rotate-new-{kind}"]


@method(31, "secrets.rotate")
def test_a_rotation_by_id_sets_the_expiry(client: Any, own: Any):
    made = own.secrets.set(name="k", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    rotated = client.secrets.rotate(made["id"], "w" * 30, expires_at="2099-01-01T00:00:00Z")
    assert (rotated["id"], rotated["expires_at"][:10], rotated["preview"]) == (made["id"], "2099-01-01", "wwww")


@method(32, "sandbox.secrets.delete")
def test_a_deleted_secret_leaves_no_variable_behind(own: Any, kind: str):
    own.secrets.set(name=f"deleted-{kind}", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    own.secrets.delete(f"deleted-{kind}")
    assert own.secrets.list() == []
    assert own.exec("printenv OPENAI_API_KEY").exit_code == 1


@method(32, "secrets.delete")
def test_a_secret_is_deleted_by_its_id(client: Any, own: Any):
    made = own.secrets.set(name="k", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    client.secrets.delete(made["id"])
    with pytest.raises(miosa.NotFoundError):
        client.secrets.get(made["id"])


@method(32, "secrets.create_binding")
@method(32, "secrets.delete_binding")
def test_a_secret_is_bound_to_a_sandbox_and_taken_away(client: Any, own: Any, kind: str):
    secret = client.secrets.set(name=f"bound-{kind}", value="v" * 30, scope="tenant")
    place = {"resource_id": own.id, "resource_type": "sandbox", "expose_as_env": "BOUND_KEY"}
    binding = client.secrets.create_binding(secret_id=secret["id"], **place)
    assert own.exec("printenv BOUND_KEY").stdout.strip() == binding["placeholder"]
    client.secrets.delete_binding(binding["id"])
    assert own.exec("printenv BOUND_KEY").exit_code == 1
    client.secrets.delete(secret["id"])


@method(32, "secrets.list_bindings")
@method(32, "sandbox.secrets.list_bindings")
def test_bindings_are_listed_by_secret_and_by_sandbox(client: Any, own: Any):
    made = own.secrets.set(name="k", value="v" * 30, expose_as_env="OPENAI_API_KEY")
    for found in (client.secrets.list_bindings(secret_id=made["id"]), own.secrets.list_bindings()):
        assert [(binding["secret_id"], binding["resource_id"]) for binding in found] == [(made["id"], own.id)]
