"""Rules, policies, lockdown and observe, as they are stored; the link's tests show that they are enforced."""

import pytest
from openmiosa_server.db import now, rfc3339
from openmiosa_server.errors import Conflict, Forbidden, InsufficientScope, Invalid, NotFound
from openmiosa_server.network import AddRule, NewPolicy, PolicyChange
from openmiosa_server.vault import RotateSecret, SecretValue, SetSecret


class Traffic:
    """Ships decisions as egressd would."""

    def __init__(self, core):
        self.core = core
        self.seq = 0

    async def __call__(self, sandbox, host, *, action="allow", reason=None, times=1, **fields):
        records = []
        for _ in range(times):
            self.seq += 1
            records.append(
                {
                    "seq": self.seq,
                    "kind": "decision",
                    "at": rfc3339(now()),
                    "event": f"evt_{self.seq}",
                    "sandbox": sandbox,
                    "host": host,
                    "port": 443,
                    "protocol": "https",
                    "method": "GET",
                    "path": "/",
                    "status": 403 if action == "reject" else 200,
                    "action": action,
                    "effect": "deny" if action == "reject" else "allow",
                    "reason": reason,
                    "secrets": [],
                    **fields,
                }
            )
        await self.core.audit.ingest("gw_1", records)


@pytest.fixture
def traffic(core):
    return Traffic(core)


def hosts(policy, effect="allow"):
    return sorted(rule.host for rule in policy.rules if rule.effect == effect)


async def test_a_sandbox_is_born_with_a_policy_that_observes(core):
    principal = await core.tenant()
    (policy,) = await core.network.policies(principal, resource_id=await core.sandbox(principal))
    assert (policy.mode, policy.default_effect, policy.rules) == ("audit_only", "deny", ())


async def test_allowing_twice_is_one_rule(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    first, second = [await core.network.allow(principal, AddRule(host, resource_id=sandbox)) for host in ("Ok.test", "ok.test.")]
    assert first.id == second.id
    assert len(await core.network.rules(principal, resource_id=sandbox)) == 1


async def test_allow_twice_and_a_bare_lockdown_are_the_lockdown_to_those_two(core):
    principal = await core.tenant()
    one, two = await core.sandbox(principal), await core.sandbox(principal)
    for host in ("api.github.com", "api.openai.com"):
        await core.network.allow(principal, AddRule(host, resource_id=one))
    bare = await core.network.lockdown(principal, resource_id=one)
    named = await core.network.lockdown(principal, ["api.openai.com", "api.github.com"], resource_id=two)
    assert (bare.mode, hosts(bare)) == (named.mode, hosts(named)) == ("enforce", ["api.github.com", "api.openai.com"])


async def test_a_bare_lockdown_without_rules_is_a_conflict_that_lists_what_was_observed(core, traffic):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await traffic(sandbox, "api.openai.com", times=3)
    with pytest.raises(Conflict) as refused:
        await core.network.lockdown(principal, resource_id=sandbox)
    assert refused.value.code == "NO_RULES"
    assert [(seen["host"], seen["count"]) for seen in refused.value.details["observed"]] == [("api.openai.com", 3)]
    assert (await core.network.get_policy(principal, sandbox)).mode == "audit_only"


async def test_an_empty_list_locks_everything(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.network.allow(principal, AddRule("ok.test", resource_id=sandbox))
    locked = await core.network.lockdown(principal, [], resource_id=sandbox)
    assert (locked.mode, locked.rules) == ("enforce", ())


async def test_a_lockdown_to_hosts_leaves_no_other_allow_and_keeps_the_denies(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.network.allow(principal, AddRule("old.test", resource_id=sandbox))
    await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    locked = await core.network.lockdown(principal, ["new.test"], resource_id=sandbox)
    assert (hosts(locked), hosts(locked, "deny")) == (["new.test"], ["evil.test"])


async def test_a_lockdown_with_one_host_that_is_none_changes_nothing(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    with pytest.raises(Invalid):
        await core.network.lockdown(principal, ["ok.test", "not a host"], resource_id=sandbox)
    (policy,) = await core.network.policies(principal, resource_id=sandbox)
    assert (policy.mode, policy.rules) == ("audit_only", ())


async def test_a_narrower_rule_survives_a_lockdown_to_its_host(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.network.allow(principal, AddRule("ok.test", methods=("GET",), resource_id=sandbox))
    locked = await core.network.lockdown(principal, ["ok.test"], resource_id=sandbox)
    assert [rule.methods for rule in locked.rules] == [("GET",)]


async def test_observe_opens_again_and_keeps_the_rules(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal, "support-agent")
    await core.network.lockdown(principal, ["ok.test"], resource_id=sandbox)
    opened = await core.network.observe(principal, resource_id="support-agent")
    assert (opened.mode, opened.locked_at, hosts(opened)) == ("audit_only", None, ["ok.test"])


async def test_every_change_raises_the_revision(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    before = await core.revision(sandbox)
    await core.network.allow(principal, AddRule("ok.test", resource_id=sandbox))
    await core.network.lockdown(principal, resource_id=sandbox)
    await core.network.remove(principal, "ok.test", resource_id=sandbox)
    assert await core.revision(sandbox) == before + 3


async def test_the_tenants_rules_reach_every_sandbox_of_the_tenant_and_no_other(core):
    mine, theirs = await core.tenant(), await core.tenant()
    own, other = await core.sandbox(mine), await core.sandbox(theirs)
    before = [await core.revision(sandbox) for sandbox in (own, other)]
    await core.network.deny(mine, AddRule("evil.test"))
    assert [await core.revision(sandbox) for sandbox in (own, other)] == [before[0] + 1, before[1]]


async def test_the_raw_wire_call_obeys_without_rules(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    changed = await core.network.update_policy(principal, None, PolicyChange(mode="enforce"), resource_id=sandbox)
    assert (changed.mode, changed.resource_id) == ("enforce", sandbox)


async def test_a_policy_of_ones_own_is_made_found_and_changed(core):
    principal = await core.tenant()
    made = await core.network.create_policy(principal, NewPolicy("strict", resource_id=await core.sandbox(principal)))
    changed = await core.network.update_policy(principal, made.id, PolicyChange(name="stricter"))
    assert (changed.name, changed.mode) == ("stricter", "enforce")
    assert (await core.network.get_policy(principal, made.id)).name == "stricter"


@pytest.mark.parametrize("host", ["", "https://ok.test", "ok..test", "10.0.0.1/8", "*", "ok.test:99999", "a b"])
async def test_a_host_rule_that_is_no_host_is_refused_with_the_reason(core, host):
    with pytest.raises(Invalid) as refused:
        await core.network.allow(await core.tenant(), AddRule(host))
    assert refused.value.code == "BAD_HOST"


async def test_suggestions_are_exactly_the_hosts_that_traffic_went_to(core, traffic):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await traffic(sandbox, "api.github.com", times=2)
    await traffic(sandbox, "api.openai.com", times=5, method="POST")
    await traffic(sandbox, "asked.test", action="stub", protocol="dns")
    await traffic(sandbox, "169.254.169.254", action="reject", reason="addr-denied")
    found = await core.network.suggestions(principal, resource_id=sandbox)
    assert [(seen.host, seen.count, seen.methods) for seen in found] == [("api.openai.com", 5, ("POST",)), ("api.github.com", 2, ("GET",))]


async def test_suggestions_of_another_sandbox_and_of_long_ago_are_left_out(core, traffic):
    principal = await core.tenant()
    sandbox, other = await core.sandbox(principal), await core.sandbox(principal)
    await traffic(other, "other.test")
    await traffic(sandbox, "old.test", at="2020-01-01T00:00:00.000000Z")
    assert await core.network.suggestions(principal, resource_id=sandbox, since="24h") == []
    with pytest.raises(Invalid):
        await core.network.suggestions(principal, since="soon")


async def test_pending_lists_what_was_refused_since_the_lockdown_until_it_is_allowed(core, traffic):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.network.lockdown(principal, ["ok.test"], resource_id=sandbox)
    await traffic(sandbox, "evil.test", action="reject", reason="host-denied", times=2)
    (waiting,) = await core.network.pending(principal, resource_id=sandbox)
    assert (waiting.host, waiting.count, waiting.reason) == ("evil.test", 2, "host-denied")
    await core.network.allow(principal, AddRule("evil.test", resource_id=sandbox))
    assert await core.network.pending(principal, resource_id=sandbox) == []


async def test_pending_forgets_what_was_refused_before(core, traffic):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await traffic(sandbox, "evil.test", action="reject", reason="host-denied", at="2020-01-01T00:00:00.000000Z")
    await core.network.lockdown(principal, ["ok.test"], resource_id=sandbox)
    assert await core.network.pending(principal, resource_id=sandbox) == []


async def test_an_inert_secret_waits_until_it_has_a_host(core, traffic):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    given = SetSecret(name="odd", value=SecretValue("what nobody knows"), expose_as_env="ODD_KEY", resource_id=sandbox)
    made = (await core.vault.set(principal, given)).secret
    held = {"secret": made.id, "name": "odd", "binding": "bnd_1"}
    await traffic(sandbox, "api.odd.test", action="reject", reason="secret-inert", held_back=held)
    (waiting,) = await core.network.pending(principal, resource_id=sandbox)
    assert (waiting.host, waiting.secret, waiting.reason) == ("api.odd.test", "odd", "secret-inert")
    await core.vault.rotate(principal, made.id, RotateSecret(allowed_hosts=("api.odd.test",)))
    assert await core.network.pending(principal, resource_id=sandbox) == []


async def test_c08_another_tenants_policies_and_rules_are_not_there(core):
    mine, theirs = await core.tenant(), await core.tenant()
    sandbox = await core.sandbox(theirs)
    rule = await core.network.allow(theirs, AddRule("ok.test", resource_id=sandbox))
    attempts = [
        core.network.lockdown(mine, [], resource_id=sandbox),
        core.network.observe(mine, resource_id=sandbox),
        core.network.remove(mine, rule.id),
        core.network.get_policy(mine, rule.policy_id),
        core.network.update_policy(mine, rule.policy_id, PolicyChange(mode="audit_only")),
        core.network.allow(mine, AddRule("x.test", policy_id=rule.policy_id)),
        core.network.pending(mine, resource_id=sandbox),
        core.network.suggestions(mine, resource_id=sandbox),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt
    assert await core.network.policies(mine) == []


async def test_loosening_needs_network_write(core):
    owner = await core.tenant()
    sandbox = await core.sandbox(owner)
    reader = await core.tenant("network:read", tenant_id=owner.tenant_id)
    with pytest.raises(InsufficientScope):
        await core.network.observe(reader, resource_id=sandbox)


async def test_an_external_users_key_changes_nothing_wider_than_its_sandboxes(core):
    owner = await core.tenant()
    user = await core.tenant(external_user_id="u1", tenant_id=owner.tenant_id)
    own, other = await core.sandbox(owner, external_user_id="u1"), await core.sandbox(owner)
    assert (await core.network.lockdown(user, [], resource_id=own)).mode == "enforce"
    with pytest.raises(Forbidden):
        await core.network.deny(user, AddRule("ok.test"))
    with pytest.raises(NotFound):
        await core.network.observe(user, resource_id=other)


@pytest.mark.parametrize("act", ["allow", "deny", "lockdown", "observe", "create"])
async def test_an_external_users_key_changes_no_workspace_that_others_are_in(core, act):
    owner = await core.tenant()
    user = await core.tenant(external_user_id="u1", tenant_id=owner.tenant_id)
    await core.sandbox(owner, workspace_id="w1")
    place = {"resource_id": "w1", "resource_type": "workspace"}
    calls = {
        "allow": lambda: core.network.allow(user, AddRule("ok.test", **place)),
        "deny": lambda: core.network.deny(user, AddRule("ok.test", **place)),
        "lockdown": lambda: core.network.lockdown(user, [], **place),
        "observe": lambda: core.network.observe(user, **place),
        "create": lambda: core.network.create_policy(user, NewPolicy("mine", **place)),
    }
    with pytest.raises(Forbidden):
        await calls[act]()


async def test_a_destroyed_sandbox_takes_no_rule(core):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal, state="destroyed")
    with pytest.raises(Conflict):
        await core.network.allow(principal, AddRule("ok.test", resource_id=sandbox))
