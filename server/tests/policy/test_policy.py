"""Policy, pure: the vectors that both languages share, and the snapshot."""

import json
from pathlib import Path

import pytest
from openmiosa_server.policy import (
    BindingValue,
    HostError,
    PolicyRule,
    PolicyValue,
    RuleError,
    SandboxValue,
    canonical_name,
    compile,
    covers,
    effective_mode,
    make_rule,
    matches,
    parse_pattern,
)
from openmiosa_server.policy.rules import canonical_glob

VECTORS = Path(__file__).parents[3] / "contracts" / "vectors"
HOSTS = json.loads((VECTORS / "hosts.json").read_text())
PATHS = json.loads((VECTORS / "paths.json").read_text())


@pytest.mark.parametrize("case", HOSTS["hosts"], ids=lambda case: ascii(case["text"])[:40])
def test_hosts_are_read_as_the_data_plane_reads_them(case):
    if "host" in case:
        assert canonical_name(case["text"]) == case["host"]
    else:
        with pytest.raises(HostError):
            canonical_name(case["text"])


@pytest.mark.parametrize("case", HOSTS["patterns"], ids=lambda case: ascii(case["pattern"])[:40])
def test_patterns_are_read_as_the_data_plane_reads_them(case):
    if "error" in case:
        with pytest.raises(HostError):
            parse_pattern(case["pattern"])
        return
    pattern = parse_pattern(case["pattern"])
    assert pattern.breadth == case["breadth"]
    assert [host for host in case.get("matches", []) + case.get("literals", []) if not matches(pattern.text, _seen(host))] == []
    assert [host for host in case.get("misses", []) + case.get("literal_misses", []) if matches(pattern.text, _seen(host))] == []


@pytest.mark.parametrize("case", PATHS["bad_globs"], ids=lambda case: case["glob"][:20])
def test_a_glob_that_the_data_plane_refuses_is_refused_or_means_any(case):
    if case["glob"] == "":
        assert canonical_glob("") is None
        return
    with pytest.raises(RuleError):
        canonical_glob(case["glob"])


@pytest.mark.parametrize("case", PATHS["globs"], ids=lambda case: case["glob"])
def test_a_glob_that_the_data_plane_takes_is_taken(case):
    assert canonical_glob(case["glob"]) in (case["glob"], None)


def _seen(host):
    try:
        return canonical_name(host)
    except HostError:
        return host


def rule(host, effect="allow", **more):
    return make_rule(rule_id=f"rul_{host}", scope="sandbox", effect=effect, host=host, **more)


def test_a_rule_is_canonical_however_it_was_written():
    made = rule("API.OpenAI.com.:443", methods=["post", "GET", "post"], path_glob="/v1/*")
    assert (made.host, made.port, made.methods, made.path_glob) == ("api.openai.com", 443, ("GET", "POST"), "/v1/*")


@pytest.mark.parametrize(
    "more", [{"methods": ["G T"]}, {"path_glob": "v1"}, {"port": 0}, {"port": 70000}, {"path_glob": "/a?b"}, {"effect": "maybe"}]
)
def test_a_rule_that_means_nothing_is_refused(more):
    with pytest.raises(RuleError):
        rule("ok.test", **more)


def test_allowing_a_registry_is_refused_and_denying_it_is_not():
    with pytest.raises(HostError, match="unrelated owners"):
        rule("*.com")
    assert rule("*.com", "deny").host == "*.com"


def test_deny_beats_allow_at_every_scope():
    allowed = rule("ok.test")
    assert covers([allowed], "ok.test", 443)
    assert not covers([allowed, PolicyRule("rul_d", "tenant", "deny", "ok.test")], "ok.test", 443)
    assert not covers([allowed], "no.test", 443)


def test_a_wider_lockdown_is_not_undone_by_a_policy_that_observes():
    observing = PolicyValue("sandbox", "audit_only", "allow")
    assert effective_mode([observing, PolicyValue("tenant", "enforce", "deny")]) == ("enforce", "deny")
    assert effective_mode([observing]) == ("audit_only", "allow")


def test_the_snapshot_is_the_same_whatever_the_order():
    sandbox = SandboxValue("sbx_1", "ten_1", "agent", 8, "PEM", "ca_sbx_1")
    rules = [rule("b.test"), rule("a.test"), rule("c.test", "deny")]
    bindings = [BindingValue(f"bnd_{env}", "sec_1", "k", f"miosa-tok-{env}", ("a.test",), env, "active", False) for env in "BA"]
    made = compile(sandbox, [], rules, bindings)
    assert made == compile(sandbox, [], rules[::-1], bindings[::-1])
    assert [each["effect"] for each in made["rules"]] == ["deny", "allow", "allow"]


def test_the_snapshot_has_the_fields_of_the_contract_and_no_value():
    sandbox = SandboxValue("sbx_1", "ten_1", "agent", 8, "PEM", "ca_sbx_1")
    made = compile(sandbox, [PolicyValue("sandbox", "enforce", "deny")], [rule("a.test")], [])
    assert set(made) == set(["v", "sandbox", "tenant", "name", "revision", "mode", "default_effect", "rules", "bindings", "authority"])
    assert set(made["rules"][0]) == set(["id", "scope", "effect", "host", "port", "methods", "path_glob"])
