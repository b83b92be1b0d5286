"""Keeping tokens fresh: O-07, O-08, O-09, and once on a 401."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from openmiosa_server.connect import Scheduler
from openmiosa_server.connect.protocol import refresh_moment
from openmiosa_server.db import now
from openmiosa_server.db.tables import admin_log, connections
from sqlalchemy import select, update

from .conftest import World, json_answer

pytestmark = pytest.mark.anyio


async def test_o_07_a_hundred_askers_on_two_servers_make_one_call(world: World) -> None:
    secret_id = await world.connected()
    other = world.another()
    calls = len(world.idp.token_calls)
    asked = [server.refresh(world.sandbox_id, secret_id, 1) for server in (world.connect, other) for _ in range(50)]
    assert set(await asyncio.gather(*asked)) == {("refreshed", 2)}
    assert len(world.idp.token_calls) == calls + 1


async def test_o_08_the_rotated_token_is_stored_before_the_new_one_is_used(world: World) -> None:
    secret_id = await world.connected()
    seen: list[bool] = []
    publish = world.core.publisher.publish_secret

    async def spied(published: str) -> None:
        stored = await world.value(secret_id, "refresh_token")
        seen.append(stored in world.idp.refresh)
        await publish(published)

    world.connect.refresher._publish = spied
    await world.connect.refresh(world.sandbox_id, secret_id, 1)
    assert seen == [True]


async def test_o_08_a_lost_answer_ends_in_one_clear_event_and_no_loop(world: World) -> None:
    secret_id = await world.connected()

    def rotated_and_lost(form: dict[str, str]) -> Any:
        world.idp._token(form)
        raise OSError("the connection drops")

    world.idp.faults.append(rotated_and_lost)
    assert (await world.connect.refresh(world.sandbox_id, secret_id, 1))[0] == "unavailable"
    assert (await world.connect.refresh(world.sandbox_id, secret_id, 1))[0] == "needs_reauth"
    calls = len(world.idp.token_calls)
    for _ in range(5):
        assert (await world.connect.refresh(world.sandbox_id, secret_id, 1))[0] == "needs_reauth"
    assert len(world.idp.token_calls) == calls
    assert (await world.secret(secret_id)).status == "needs_reauth"
    async with world.core.database.read() as tx:
        rows = (await tx.execute(select(admin_log).where(admin_log.c.action == "connect:connection:needs_reauth"))).all()
    assert len(rows) == 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda form: (500, "text/plain", b"no"),
        lambda form: (503, "application/json", b'{"error": "invalid_grant"}'),
        lambda form: (429, "application/json", b'{"message": "slow down"}'),
        lambda form: (200, "text/html", b"<h1>maintenance</h1>"),
        lambda form: (302, "text/html", b""),
        lambda form: (200, "application/json", b'{"access_token": "' + b"a" * 2**20 + b'"}'),
        lambda form: json_answer({"error": "temporarily_unavailable"}, 400),
        lambda form: json_answer({"error": "invalid_client"}, 401),
        lambda form: json_answer({"nothing": "useful"}),
    ],
)
async def test_o_09_trouble_never_wipes_a_token_and_the_next_try_works(world: World, fault: Any) -> None:
    secret_id = await world.connected()
    token, kept = await world.value(secret_id), await world.value(secret_id, "refresh_token")
    world.idp.faults.append(fault)
    assert (await world.connect.refresh(world.sandbox_id, secret_id, 1))[0] == "unavailable"
    assert (await world.value(secret_id), await world.value(secret_id, "refresh_token")) == (token, kept)
    assert (await world.secret(secret_id)).status == "ready"
    assert await world.connect.refresh(world.sandbox_id, secret_id, 1) == ("refreshed", 2)


async def test_o_09_after_trouble_the_scheduler_waits(world: World) -> None:
    secret_id = await world.connected()
    world.idp.faults.append(lambda form: (500, "text/plain", b"no"))
    await world.connect.refresh(world.sandbox_id, secret_id, 1)
    async with world.core.database.read() as tx:
        row = (await tx.execute(select(connections))).one()
    assert row.refresh_after > now()
    assert (row.failures, row.state) == (1, "ready")


async def test_o_09_a_provider_that_keeps_the_refresh_token_is_fine(world: World) -> None:
    secret_id = await world.connected()
    kept = await world.value(secret_id, "refresh_token")
    world.idp.rotate = False
    assert (await world.connect.refresh(world.sandbox_id, secret_id, 1))[0] == "refreshed"
    assert await world.value(secret_id, "refresh_token") == kept


async def test_a_definitive_refusal_asks_for_reauthorisation_and_a_new_consent_mends_it(world: World) -> None:
    secret_id = await world.connected()
    world.idp.refresh.clear()
    assert (await world.connect.refresh(world.sandbox_id, secret_id, 1))[0] == "needs_reauth"
    again = await world.connect.reauthorize(world.principal, secret_id)
    assert (await world.connect.callback(world.idp.consent(again.authorize_url))).ok
    assert (await world.secret(secret_id)).status == "ready"


async def test_a_token_without_an_end_and_without_refresh_is_reported_as_such(world: World) -> None:
    world.idp.rotate, world.idp.lifetime = False, None
    secret_id = await world.connected()
    assert await world.connect.refresh(world.sandbox_id, secret_id, 1) == ("unchanged", 1)
    async with world.core.database.read() as tx:
        assert (await tx.execute(select(connections.c.state))).scalar_one() == "no_refresh"


async def test_a_401_for_an_old_version_is_answered_without_the_provider(world: World) -> None:
    secret_id = await world.connected()
    await world.connect.refresh(world.sandbox_id, secret_id, 1)
    calls = len(world.idp.token_calls)
    assert await world.connect.refresh(world.sandbox_id, secret_id, 1) == ("refreshed", 2)
    assert len(world.idp.token_calls) == calls


async def test_a_401_for_a_token_that_a_401_brought_gives_up(world: World) -> None:
    secret_id = await world.connected()
    assert await world.connect.refresh(world.sandbox_id, secret_id, 1) == ("refreshed", 2)
    assert await world.connect.refresh(world.sandbox_id, secret_id, 2) == ("unchanged", 2)


async def test_the_scheduler_refreshes_ahead_of_the_end_for_running_sandboxes(world: World, eventually: Any) -> None:
    world.idp.lifetime = 4.0
    secret_id = await world.connected()
    scheduler = Scheduler(world.core.database, world.connect)
    await scheduler.start()
    try:

        async def twice() -> bool:
            secret = await world.secret(secret_id)
            assert secret.expires_at > now(), "a token reached its end before it was replaced"
            return secret.version >= 3

        await eventually(twice, within=15.0)
    finally:
        await scheduler.stop()


async def test_the_scheduler_leaves_connections_alone_that_nobody_runs_with(world: World) -> None:
    secret_id = await world.connected()
    from openmiosa_server.db.tables import sandboxes

    async with world.core.database.begin() as tx:
        await tx.execute(update(sandboxes).values(state="paused"))
        await tx.execute(update(connections).values(refresh_after=now() - timedelta(seconds=1)))
    calls = len(world.idp.token_calls)
    await Scheduler(world.core.database, world.connect)._look()
    assert len(world.idp.token_calls) == calls
    assert (await world.secret(secret_id)).version == 1


@pytest.mark.parametrize(("lifetime", "lead"), [(15.0, 3.0), (100.0, 20.0), (3600.0, 60.0), (28800.0, 60.0)])
def test_the_lead_is_the_smaller_of_a_minute_and_a_fifth(lifetime: float, lead: float) -> None:
    end = now()
    leads = [(end - moment).total_seconds() for _ in range(200) if (moment := refresh_moment(end, lifetime))]
    assert lead <= min(leads)
    assert max(leads) <= lead * 1.5
    assert max(leads) - min(leads) > lead * 0.1, "the moment is not spread"
