"""Keys, and the one call that decides and records."""

from datetime import timedelta

import pytest
from openmiosa_server.db import now
from openmiosa_server.db.tables import api_keys
from openmiosa_server.errors import InsufficientScope, Invalid, NotFound, Unauthenticated
from openmiosa_server.identity import SCOPES, AdminFilter, RequestInfo, tokens
from sqlalchemy import select, update


async def test_the_first_start_makes_one_admin_key_and_the_second_none(core):
    token = await core.identity.bootstrap()
    assert (await core.identity.authenticate(token)).scopes == frozenset(SCOPES)
    assert await core.identity.bootstrap() is None


async def test_c01_only_the_hash_of_a_key_is_stored(core):
    token = await core.identity.bootstrap()
    async with core.database.read() as tx:
        row = (await tx.execute(select(api_keys))).mappings().one()
    assert row["hash"] == tokens.digest(token)
    assert row["prefix"] == token[:12]
    assert token not in str(dict(row))


async def test_c01_a_key_has_160_random_bits_and_a_checksum_that_scanners_can_check():
    first, second = tokens.mint(), tokens.mint()
    assert first != second
    assert len(first) == 42
    assert tokens.well_formed(first)
    assert not tokens.well_formed(first[:-1] + ("0" if first[-1] != "0" else "1"))


@pytest.mark.parametrize("token", ["", "msk_live_", "x" * 42, "msk_live_" + "é" * 33, "Bearer msk_live_x"])
async def test_what_is_no_key_is_refused_without_asking_the_database(core, token):
    with pytest.raises(Unauthenticated):
        await core.identity.authenticate(token)


async def test_c02_unknown_revoked_and_expired_keys_get_one_answer(core):
    admin = await core.identity.authenticate(await core.identity.bootstrap())
    revoked, expired = [await core.identity.create_key(admin, name) for name in ("revoked", "expired")]
    await core.identity.delete_key(admin, "revoked")
    async with core.database.begin() as tx:
        old = now() - timedelta(seconds=1)
        await tx.execute(update(api_keys).where(api_keys.c.id == expired.key.id).values(expires_at=old))
    said = set()
    for token in (tokens.mint(), revoked.token, expired.token):
        with pytest.raises(Unauthenticated) as refused:
            await core.identity.authenticate(token)
        said.add(refused.value.message)
    assert len(said) == 1


async def test_a_revoked_key_is_dead_at_once(core):
    admin = await core.identity.authenticate(await core.identity.bootstrap())
    made = await core.identity.create_key(admin, "ci", ("audit:read",))
    holder = await core.identity.authenticate(made.token)
    await core.identity.delete_key(admin, made.key.id)
    assert not await core.identity.still_valid(holder)


async def test_a_refusal_is_recorded_and_raised(core):
    principal = await core.tenant("audit:read")
    with pytest.raises(InsufficientScope, match="network:write"):
        await core.network.observe(principal, request=RequestInfo("req_1", "192.0.2.1"))
    (entry,), _ = await core.identity.admin_log(principal, AdminFilter(action="network:policy:observe"))
    assert (entry.outcome, entry.request_id, entry.ip_address) == ("refused", "req_1", "192.0.2.1")


async def test_what_is_allowed_is_recorded_before_it_happens(core):
    principal = await core.tenant()
    await core.identity.authorize(principal, "secrets:write", "vault:secret:set", metadata={"name": "x"})
    (entry,), _ = await core.identity.admin_log(principal, AdminFilter(action="vault:secret:set"))
    assert (entry.outcome, entry.actor_id, entry.metadata) == ("allowed", principal.key_id, {"name": "x"})


async def test_a_key_gives_no_scope_that_it_lacks(core):
    principal = await core.tenant("keys:write", "audit:read")
    with pytest.raises(InsufficientScope):
        await core.identity.create_key(principal, "more", ("secrets:write",))
    assert (await core.identity.create_key(principal, "less", ("audit:read",))).key.scopes == ("audit:read",)


async def test_a_scope_that_does_not_exist_is_refused_with_those_that_do(core):
    with pytest.raises(Invalid) as refused:
        await core.identity.create_key(await core.tenant(), "x", ("everything",))
    assert "secrets:write" in refused.value.details["known"]


async def test_c08_another_tenants_key_is_not_there(core):
    mine, theirs = await core.tenant(), await core.tenant()
    made = await core.identity.create_key(theirs, "theirs")
    for attempt in (core.identity.get_key, core.identity.delete_key):
        with pytest.raises(NotFound):
            await attempt(mine, made.key.id)


async def test_the_administrative_log_is_paged_without_gap_or_repeat(core):
    principal = await core.tenant()
    for number in range(7):
        await core.identity.authorize(principal, "audit:read", "test:log:write", metadata={"n": number})
    seen, cursor = [], None
    for _ in range(4):
        page, cursor = await core.identity.admin_log(principal, AdminFilter(action="test:log:write", limit=2, cursor=cursor))
        seen += [entry.metadata["n"] for entry in page]
    assert seen == [6, 5, 4, 3, 2, 1, 0]
    assert cursor is None


async def test_a_new_key_shows_its_text_nowhere(core):
    made = await core.identity.create_key(await core.tenant(), "x")
    assert made.token not in repr(made)
    assert made.token not in str(made.key.view())


async def test_an_external_users_key_reads_what_that_users_keys_did_and_nothing_else(core):
    owner = await core.tenant()
    made = await core.identity.create_key(owner, "for u1", external_user_id="u1")
    user = await core.identity.authenticate(made.token)
    await core.identity.list_keys(user)
    entries, _ = await core.identity.admin_log(user, AdminFilter())
    assert {entry.actor_id for entry in entries} == {user.key_id}
