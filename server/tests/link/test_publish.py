"""Acknowledged means enforced: the order and the ends of publishing, against a gateway that says what it was told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from openmiosa_server.db import now
from openmiosa_server.db.tables import sandboxes
from openmiosa_server.errors import Unavailable
from openmiosa_server.link import epoch
from openmiosa_server.network import AddRule
from openmiosa_server.vault import RotateSecret, SecretValue, write
from sqlalchemy import update

from server.tests.link.gateway import Gateway

KEY = "sk-proj-canary0123456789abcdefghijklmnopqrstuv"


@pytest.fixture
async def gateway(core):
    gateway = await Gateway(core.folder / "egressd.sock").start()
    await core.publisher.resync()
    yield gateway
    await gateway.stop()


async def test_a_new_sandbox_is_put_with_its_authority_first(core, gateway):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal, "support-agent")
    assert gateway.said[-2:] == [f"PUT leases ca_{sandbox}", f"PUT snapshots {sandbox}"]
    assert gateway.snapshots[sandbox]["mode"] == "audit_only"


async def test_a_secret_is_lent_sealed_and_bound_before_set_returns(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, replace(secret, resource_id=sandbox, scope="user"))
    assert gateway.leases[bound.secret.id] == (1, KEY.encode())
    (binding,) = gateway.snapshots[sandbox]["bindings"]
    assert (binding["hosts"], binding["state"], binding["placeholder"]) == (["api.openai.com"], "active", bound.binding["placeholder"])


async def test_a_rotation_reaches_the_gateway_before_it_returns_and_keeps_the_placeholder(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    before = gateway.snapshots[sandbox]["bindings"][0]["placeholder"]
    await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("sk-proj-the-next-one-0123456789")))
    assert gateway.leases[bound.secret.id] == (2, b"sk-proj-the-next-one-0123456789")
    assert gateway.snapshots[sandbox]["bindings"][0]["placeholder"] == before


async def test_a_deleted_secret_is_taken_back_first(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    gateway.said.clear()
    await core.vault.delete(principal, "openai_key")
    assert gateway.said == [f"DELETE leases {bound.secret.id}", f"PUT snapshots {sandbox}"]
    assert gateway.snapshots[sandbox]["bindings"] == []


async def test_an_unbound_secret_that_nobody_else_needs_is_taken_back(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, replace(secret, resource_id=sandbox))
    await core.bindings.unbind(principal, bound.binding["id"])
    assert bound.secret.id not in gateway.leases


async def test_an_inert_secret_is_never_lent(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, replace(secret, expose_as_env="SOME_TOKEN", value=SecretValue("nothing that anybody knows")))
    assert bound.secret.id not in gateway.leases
    assert gateway.snapshots[sandbox]["bindings"][0]["state"] == "inert"


async def test_a_new_value_for_new_hosts_is_lent_only_when_no_snapshot_names_the_old_ones(core, gateway, secret):
    principal = await core.tenant()
    for name in ("one", "two"):
        await core.sandbox(principal, name)
    bound = await core.vault.set(principal, secret)
    gateway.said.clear()
    await core.vault.set(principal, replace(secret, value=SecretValue("another account's key"), allowed_hosts=("api.other.test",)))
    lent = gateway.said.index(f"PUT leases {bound.secret.id}")
    assert gateway.said.index(f"DELETE leases {bound.secret.id}") < lent
    assert [said.split(" ")[:2] for said in gateway.said[lent:]] == [["PUT", "leases"]]
    assert gateway.leases[bound.secret.id] == (2, b"another account's key")


async def test_a_value_ends_with_its_expiry(core, gateway, secret):
    principal = await core.tenant()
    await core.sandbox(principal)
    bound = await core.vault.set(principal, replace(secret, expires_at=now() + timedelta(seconds=90)))
    assert 80_000 < gateway.lifetimes[bound.secret.id] <= 90_000


async def test_an_expired_value_is_not_lent(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, replace(secret, expires_at=now() - timedelta(seconds=1)))
    assert bound.secret.id not in gateway.leases
    assert gateway.snapshots[sandbox]["bindings"][0]["state"] == "expired"


async def test_a_gateway_that_is_gone_enforces_everything(core, gateway):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await gateway.stop()
    rule = await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    assert rule.host == "evil.test"


async def test_a_gateway_that_does_not_answer_leaves_the_change_unconfirmed_and_says_so(core, gateway):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    core.egress._answer_within = core.egress._http.timeout = 0.2
    gateway.free.clear()
    with pytest.raises(Unavailable) as refused:
        await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    gateway.free.set()
    assert (refused.value.code, refused.value.retry, refused.value.status) == ("NOT_CONFIRMED", True, 503)
    assert [rule.host for rule in await core.network.rules(principal, resource_id=sandbox)] == ["evil.test"]


async def test_what_was_unconfirmed_is_confirmed_in_the_background(core, gateway, eventually):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    core.egress._answer_within = core.egress._http.timeout = 0.2
    gateway.free.clear()
    with pytest.raises(Unavailable):
        await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    gateway.free.set()
    await eventually(lambda: gateway.snapshots[sandbox]["rules"] and core.publisher.connected)


async def test_a_returning_gateway_gets_everything_again(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    await gateway.stop()
    second = await Gateway(gateway.socket, boot="boot2").start()
    assert await core.publisher.hello("gw_test", "boot2", second.public_key) >= 1
    await core.publisher.resync()
    assert second.leases[bound.secret.id][1] == KEY.encode()
    assert second.snapshots[sandbox]["revision"] == await core.revision(sandbox)
    await second.stop()


async def test_a_repeated_hello_of_a_gateway_that_holds_all_changes_nothing(core, gateway, secret, eventually):
    principal = await core.tenant()
    await core.sandbox(principal)
    await core.vault.set(principal, secret)
    gateway.said.clear()
    said = await core.publisher.hello("gw_test", gateway.boot, gateway.public_key)
    await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("sk-proj-the-next-one-0123456789")))
    assert said == gateway.epoch
    assert not [word for word in gateway.said if "epoch" in word or word.startswith("DELETE")]


async def test_a_change_to_a_gateway_of_another_boot_ends_in_a_resync(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    gateway.boot, gateway.leases, gateway.snapshots, gateway.epoch = "boot2", {}, {}, 99
    await core.publisher.egress.put_epoch(99)
    core.publisher.egress.epoch = 1
    await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("sk-proj-after-the-restart-01234")))
    assert gateway.leases[bound.secret.id] == (2, b"sk-proj-after-the-restart-01234")
    assert sandbox in gateway.snapshots


async def test_a_resync_deletes_what_the_database_does_not_have(core, gateway):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    gateway.snapshots["sbx_left"] = {"revision": 3}
    gateway.leases["sec_left"] = (1, b"x")
    await core.publisher.resync()
    assert (set(gateway.snapshots), set(gateway.leases)) == ({sandbox}, {f"ca_{sandbox}"})


async def test_a_stale_value_is_taken_back_before_a_resync_puts_snapshots(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    gateway.leases[bound.secret.id] = (0, b"what another server lent")
    gateway.said.clear()
    await core.publisher.resync()
    told = [said for said in gateway.said if not said.startswith("PUT epoch")]
    assert told == [f"DELETE leases {bound.secret.id}", f"PUT snapshots {sandbox}", f"PUT leases {bound.secret.id}"]


async def test_every_start_raises_the_epoch(core, gateway):
    await core.publisher.resync()
    first = gateway.epoch
    await core.publisher.resync()
    assert gateway.epoch == first + 1


async def test_a_restored_database_lifts_its_revision_over_the_gateways(core, gateway):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    async with core.database.begin() as tx:
        await tx.execute(update(sandboxes).where(sandboxes.c.id == sandbox).values(revision=1))
    gateway.snapshots[sandbox]["revision"] = 41
    await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    assert gateway.snapshots[sandbox]["revision"] >= 42
    assert gateway.snapshots[sandbox]["rules"][0]["host"] == "evil.test"


async def test_a_destroyed_sandbox_leaves_nothing_in_the_gateway(core, gateway, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await core.vault.set(principal, replace(secret, resource_id=sandbox))
    async with core.database.begin() as tx:
        await tx.execute(update(sandboxes).where(sandboxes.c.id == sandbox).values(state="destroyed"))
    await core.publisher.withdraw(sandbox)
    assert (gateway.snapshots, gateway.leases) == ({}, {})


async def test_revisions_of_parallel_changes_arrive_in_order(core, gateway):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    hosts = [f"h{number}.test" for number in range(20)]
    await asyncio.gather(*(core.network.allow(principal, AddRule(host, resource_id=sandbox)) for host in hosts))
    assert {rule["host"] for rule in gateway.snapshots[sandbox]["rules"]} == set(hosts)
    assert gateway.snapshots[sandbox]["revision"] == await core.revision(sandbox)


async def test_a_caller_that_goes_away_takes_nothing_back(core, gateway, eventually):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    gateway.free.clear()
    calling = asyncio.create_task(core.network.deny(principal, AddRule("evil.test", resource_id=sandbox)))
    await eventually(core.publisher._turns[sandbox].locked)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    gateway.free.set()
    await eventually(lambda: gateway.snapshots[sandbox]["rules"])


async def test_a_caller_that_goes_away_while_it_waits_for_its_turn_takes_nothing_back(core, gateway, eventually):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    async with core.publisher._turns[sandbox]:
        calling = asyncio.create_task(core.network.deny(principal, AddRule("evil.test", resource_id=sandbox)))
        await eventually(lambda: core.publisher._turns[sandbox]._waiters)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    await eventually(lambda: gateway.snapshots[sandbox]["rules"])


async def test_an_overtaken_rotation_is_acknowledged_only_when_no_older_value_is_lent(core, gateway, secret, monkeypatch):
    principal = await core.tenant()
    await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    put, others = core.publisher._put, [SecretValue("sk-proj-committed-by-another-rotation")]

    async def overtaken(held, prepared):
        if others:
            async with core.database.begin() as tx:
                await write.new_value(tx, core.envelopes, principal.tenant_id, bound.secret.id, others.pop())
        return await put(held, prepared)

    monkeypatch.setattr(core.publisher, "_put", overtaken)
    await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("sk-proj-the-first-rotation-0123")))
    assert gateway.leases[bound.secret.id] == (3, b"sk-proj-committed-by-another-rotation")


async def test_a_gateway_that_says_hello_during_a_resync_gets_one_of_its_own(core, gateway, secret, eventually, monkeypatch):
    principal = await core.tenant()
    await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    put, second = core.egress.put_snapshot, Gateway(gateway.socket, boot="boot2")

    async def replaced(snapshot):
        if second._server is None:
            await gateway.stop()
            await second.start()
            await core.publisher.hello("gw_test", "boot2", second.public_key)
        return await put(snapshot)

    monkeypatch.setattr(core.egress, "put_snapshot", replaced)
    await core.publisher.resync()
    await eventually(lambda: bound.secret.id in second.leases and core.publisher.connected)
    await second.stop()


async def test_trouble_of_the_database_does_not_end_the_confirming(core, gateway, eventually, monkeypatch):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    core.egress._answer_within = core.egress._http.timeout = 0.2
    gateway.free.clear()
    with pytest.raises(Unavailable):
        await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    raised, trouble = epoch.raise_epoch, [OSError("the database is away")]

    async def away(database):
        if trouble:
            raise trouble.pop()
        return await raised(database)

    monkeypatch.setattr(epoch, "raise_epoch", away)
    gateway.free.set()
    await eventually(lambda: gateway.snapshots[sandbox]["rules"] and core.publisher.connected and not trouble)


async def test_a_start_beside_a_gateway_that_is_stuck_is_made_up_for(core, gateway, eventually):
    core.egress._answer_within = core.egress._http.timeout = 0.2
    gateway.free.clear()
    with pytest.raises(Unavailable):
        await core.publisher.resync()
    before = gateway.epoch
    gateway.free.set()
    await eventually(lambda: gateway.epoch > before + 1 and core.publisher.connected)
