"""Rows 27 to 29: rules, policies and suggestions."""

from typing import Any

import pytest

from .stage import GITHUB, OPENAI

method = pytest.mark.method
ISSUES = f"curl -s -o /dev/null -w '%{{http_code}}' https://{GITHUB}/repos/o/r/issues"


@method(27, "sandbox.network.suggestions")
@method(27, "network.suggestions")
def test_what_was_seen_is_suggested_with_both_counts(client: Any, own: Any):
    assert own.exec(ISSUES).stdout == "200"
    for found in (own.network.suggestions(), client.network.suggestions(resource_id=own.id, resource_type="sandbox", since="1d")):
        assert [(seen["host"], seen["count"], seen["denied_count"]) for seen in found] == [(GITHUB, 1, 0)]


@method(28, "sandbox.network.allow")
def test_a_rule_is_stored_with_its_methods_path_and_note(own: Any):
    rule = own.network.allow(GITHUB, methods=["GET"], path_glob="/repos/**", note="issues")
    shown = {name: rule[name] for name in ("host", "effect", "methods", "path_glob", "note", "resource_id")}
    assert shown == {
        "host": GITHUB,
        "effect": "allow",
        "methods": ["GET"],
        "path_glob": "/repos/**",
        "note": "issues",
        "resource_id": own.id,
    }


@method(28, "sandbox.network.deny")
def test_a_denied_host_is_refused_although_all_else_is_open(own: Any):
    assert own.network.deny(GITHUB)["effect"] == "deny"
    assert own.exec(ISSUES).stdout == "403"
    assert own.exec(f"curl -s -o /dev/null -w '%{{http_code}}' https://{OPENAI}/v1/models").stdout == "401"


@method(28, "sandbox.network.rules")
@method(28, "sandbox.network.remove_rule")
def test_a_removed_rule_is_gone_from_the_list(own: Any):
    first, second = own.network.allow("a.example"), own.network.allow("*.b.example")
    assert [rule["host"] for rule in own.network.rules()] == ["a.example", "*.b.example"]
    own.network.remove_rule(first["id"])
    assert [rule["id"] for rule in own.network.rules()] == [second["id"]]


@method(28, "network.allow")
@method(28, "network.deny")
@method(28, "network.rules")
@method(28, "network.remove_rule")
def test_the_clients_own_calls_take_the_sandbox_as_a_resource(client: Any, own: Any):
    place = {"resource_id": own.id, "resource_type": "sandbox"}
    made = [client.network.allow("a.example", **place), client.network.deny("b.example", **place)]
    assert [(rule["host"], rule["effect"]) for rule in client.network.rules(**place)] == [("a.example", "allow"), ("b.example", "deny")]
    for rule in made:
        client.network.remove_rule(rule["id"])
    assert client.network.rules(**place) == []


@method(29, "sandbox.network.policies")
@method(29, "network.policies")
def test_every_sandbox_is_born_with_a_policy(client: Any, own: Any):
    for found in (own.network.policies(), client.network.policies(resource_id=own.id)):
        assert [(policy["resource_id"], policy["mode"], policy["rules"]) for policy in found] == [(own.id, "audit_only", [])]


@method(29, "network.create_policy")
def test_a_policy_is_made(client: Any, kind: str):
    made = client.network.create_policy(name=f"spare-{kind}", mode="audit_only", default_effect="allow", description="unused")
    assert (made["name"], made["mode"], made["default_effect"]) == (f"spare-{kind}", "audit_only", "allow")
    assert made["id"] in {policy["id"] for policy in client.network.policies()}


@method(29, "network.update_policy")
def test_a_policy_is_changed(client: Any, own: Any):
    policy = own.network.policies()[0]["id"]
    assert client.network.update_policy(policy, mode="enforce", description="shut")["description"] == "shut"
    assert own.exec(ISSUES).stdout == "403"


@method(29, "sandbox.network.lockdown(policy_id=)")
@method(29, "sandbox.network.observe(policy_id=)")
def test_lockdown_shuts_and_observe_opens(own: Any):
    policy = own.network.policies()[0]["id"]
    assert own.network.lockdown(policy_id=policy)["mode"] == "enforce"
    assert own.exec(ISSUES).stdout == "403"
    assert own.network.observe(policy_id=policy)["mode"] == "audit_only"
    assert own.exec(ISSUES).stdout == "200"


@method(29, "network.lockdown(policy_id=)")
@method(29, "network.observe(policy_id=)")
def test_the_clients_own_lockdown_takes_a_policy(client: Any, own: Any):
    policy = own.network.policies()[0]["id"]
    assert client.network.lockdown(policy_id=policy)["mode"] == "enforce"
    assert client.network.observe(policy_id=policy)["mode"] == "audit_only"
