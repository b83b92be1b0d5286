"""The consent flow: O-01, O-03, O-06, O-11, and what a person sees."""

from datetime import timedelta
from typing import Any

import pytest
from openmiosa_server.connect import MachineConnection, Providers, Scheduler, StartConnection, page
from openmiosa_server.connect.types import Finished
from openmiosa_server.db import now
from openmiosa_server.db.tables import oauth_flows
from openmiosa_server.errors import Conflict, Forbidden, Invalid, NotFound, OpenMiosaError, Unavailable
from openmiosa_server.vault import SecretValue
from sqlalchemy import select, update

from .conftest import HOST, World, json_answer, make_connect, registration

pytestmark = pytest.mark.anyio


async def test_a_connection_becomes_a_secret_bound_to_the_providers_hosts(world: World) -> None:
    started = await world.begin()
    assert (await world.secret(started.secret_id)).status == "pending"
    await world.connect.callback(world.idp.consent(started.authorize_url))
    secret = await world.secret(started.secret_id)
    assert (secret.name, secret.status, secret.type, secret.bound_hosts) == ("acme_token", "ready", "oauth_connect", ("api.example.test",))
    assert (await world.connect.status(world.principal, started.state))["status"] == "completed"


async def test_inside_there_is_a_placeholder_and_no_token(world: World) -> None:
    secret_id = await world.connected()
    environment = await world.core.bindings.environment(world.sandbox_id)
    assert environment["ACME_TOKEN"].startswith("miosa-tok-")
    assert await world.value(secret_id) not in environment.values()


async def test_o_01_a_state_works_once(world: World) -> None:
    started = await world.begin()
    back = world.idp.consent(started.authorize_url)
    assert (await world.connect.callback(back)).ok
    assert not (await world.connect.callback(back)).ok
    assert len(world.idp.token_calls) == 1


@pytest.mark.parametrize("state", ["", "unknown", "x" * 100_000, "\x00"])
async def test_o_01_a_missing_or_foreign_state_is_refused_without_asking_the_provider(world: World, state: str) -> None:
    assert not (await world.connect.callback({"state": state, "code": "c"})).ok
    assert world.idp.token_calls == []


async def test_o_01_a_state_ends_after_ten_minutes(world: World) -> None:
    started = await world.begin()
    assert timedelta(minutes=9, seconds=50) < started.expires_at - now() <= timedelta(minutes=10)
    async with world.core.database.begin() as tx:
        await tx.execute(update(oauth_flows).values(expires_at=now() - timedelta(seconds=1)))
    assert not (await world.connect.callback(world.idp.consent(started.authorize_url))).ok
    assert (await world.connect.status(world.principal, started.state))["status"] == "failed"


async def test_o_01_the_state_is_stored_as_a_hash(world: World) -> None:
    started = await world.begin()
    async with world.core.database.read() as tx:
        stored = [str(value) for row in await tx.execute(select(oauth_flows)) for value in row]
    assert all(started.state not in text for text in stored)


async def test_o_01_another_tenant_cannot_ask_for_the_flow(world: World) -> None:
    started = await world.begin()
    stranger = await world.core.tenant()
    with pytest.raises(NotFound):
        await world.connect.status(stranger, started.state)


async def test_o_03_a_code_from_another_session_brings_no_token(world: World) -> None:
    started = await world.begin()
    foreign = world.idp.consent(started.authorize_url)
    world.idp.codes[foreign["code"]] = "challenge-of-somebody-else"
    finished = await world.connect.callback(foreign)
    assert not finished.ok
    assert (await world.secret(started.secret_id)).status == "failed"


async def test_o_02_an_answer_without_the_issuer_is_refused_where_one_is_advertised(world: World) -> None:
    providers = Providers({"acme": registration(issuer=f"https://{HOST}")})
    connect = make_connect(world.core, world.idp, providers)
    world.connect = connect
    started = await world.begin()
    finished = await connect.callback(world.idp.consent(started.authorize_url))
    assert not finished.ok
    assert (await connect.status(world.principal, started.state))["error"] == "issuer_mismatch"
    assert world.idp.token_calls == []
    world.idp.issuer = f"https://{HOST}"
    again = await world.begin()
    assert (await connect.callback(world.idp.consent(again.authorize_url))).ok


async def test_o_06_the_page_shows_text_and_loads_nothing() -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    html = page.render(Finished(False, evil, evil))
    assert "<script" not in html
    assert "<img" not in html
    assert page.HEADERS["Content-Security-Policy"].startswith("default-src 'none'")


async def test_o_06_a_providers_words_arrive_as_one_short_line_of_text(world: World) -> None:
    started = await world.begin()
    said = {"error": "access_denied", "error_description": "<script>\n\r\x00" + "a" * 10_000}
    finished = await world.connect.callback({"state": started.state, **said})
    status = await world.connect.status(world.principal, started.state)
    assert (status["status"], status["error"]) == ("denied", "access_denied")
    assert len(finished.message) < 500
    assert "\n" not in finished.message


async def test_o_11_another_account_cannot_take_a_connection_over(world: World) -> None:
    secret_id = await world.connected()
    token = await world.value(secret_id)
    world.idp.account = "mallory"
    again = await world.begin()
    finished = await world.connect.callback(world.idp.consent(again.authorize_url))
    assert not finished.ok
    assert "mallory" in finished.message
    assert await world.value(secret_id) == token
    assert (await world.secret(secret_id)).status == "ready"


async def test_reconnecting_goes_back_to_pending_and_keeps_the_secret_and_its_placeholder(world: World) -> None:
    secret_id = await world.connected()
    placeholder = (await world.core.bindings.environment(world.sandbox_id))["ACME_TOKEN"]
    again = await world.connect.reauthorize(world.principal, "acme_token", resource_id=world.sandbox_id)
    assert again.secret_id == secret_id
    assert (await world.secret(secret_id)).status == "pending"
    await world.connect.callback(world.idp.consent(again.authorize_url))
    assert (await world.core.bindings.environment(world.sandbox_id))["ACME_TOKEN"] == placeholder


async def test_a_denied_reconnection_leaves_the_old_connection_ready(world: World) -> None:
    secret_id = await world.connected()
    again = await world.begin()
    await world.connect.callback({"state": again.state, "error": "access_denied"})
    assert (await world.secret(secret_id)).status == "ready"


async def test_a_newer_attempt_ends_the_older_one(world: World) -> None:
    older, newer = await world.begin(), await world.begin()
    assert not (await world.connect.callback(world.idp.consent(older.authorize_url))).ok
    assert (await world.connect.callback(world.idp.consent(newer.authorize_url))).ok


@pytest.mark.parametrize(
    "fault",
    [
        lambda form: (500, "text/html", b"<h1>oops</h1>"),
        lambda form: (200, "text/html", b"<h1>login</h1>"),
        lambda form: (302, "text/html", b""),
        lambda form: json_answer({"token_type": "bearer"}),
        lambda form: json_answer({"access_token": "two words\n"}),
    ],
)
async def test_a_provider_in_trouble_fails_the_flow_with_a_reason_and_stores_nothing(world: World, fault: Any) -> None:
    started = await world.begin()
    world.idp.faults.append(fault)
    finished = await world.connect.callback(world.idp.consent(started.authorize_url))
    status = await world.connect.status(world.principal, started.state)
    assert not finished.ok
    assert status["status"] == "failed"
    assert status["message"]
    assert (await world.secret(started.secret_id)).version == 0


async def test_a_provider_that_is_not_set_up_says_how(world: World) -> None:
    with pytest.raises(Conflict, match=r"oauth\.providers\.github\.client_id") as refused:
        await world.connect.start(world.principal, StartConnection(provider="github"))
    assert refused.value.code == "PROVIDER_NOT_CONFIGURED"


@pytest.mark.parametrize("uri", ["https://evil.example\\@app.example.test/", "https://evil.example@app.example.test/"])
async def test_a_redirect_that_browsers_read_otherwise_than_we_do_is_refused(world: World, uri: str) -> None:
    world.connect._redirect_hosts = ("app.example.test",)
    with pytest.raises(Invalid):
        await world.begin(redirect_uri=uri)
    assert (await world.begin(redirect_uri="https://app.example.test/done")).state


@pytest.mark.parametrize(
    "given", [{"scope": "tenant"}, {"scope": "user", "owner_user_id": "u2"}, {"scope": "external_user", "external_user_id": "u2"}]
)
async def test_an_external_users_key_connects_an_account_for_nobody_else(world: World, given: dict[str, str]) -> None:
    user = await world.core.tenant(external_user_id="u1", tenant_id=world.principal.tenant_id)
    with pytest.raises(Forbidden):
        await world.connect.start(user, StartConnection(provider="acme", expose_as_env="ACME_TOKEN", **given))
    token_url = f"https://{HOST}/token"
    machine = MachineConnection("acme_token", token_url, "id", SecretValue("secret"), allowed_hosts=("api.example.test",), **given)
    with pytest.raises(Forbidden):
        await world.connect.machine(user, machine)


async def test_an_address_that_would_steer_a_terminal_ends_the_device_flow(world: World) -> None:
    answer = {"device_code": "d", "user_code": "A", "verification_uri": "https://a.test/\x1b]0;owned\x07", "expires_in": 600}
    world.idp.faults.append(lambda form: json_answer(answer))
    with pytest.raises(Unavailable):
        await world.begin(flow="device")


async def test_an_answer_nested_too_deeply_to_read_fails_the_flow_and_not_the_server(world: World) -> None:
    started = await world.begin()
    world.idp.faults.append(lambda form: (200, "application/json", b"[" * 500_000))
    finished = await world.connect.callback(world.idp.consent(started.authorize_url))
    assert not finished.ok
    assert (await world.connect.status(world.principal, started.state))["status"] == "failed"


async def test_a_redirect_to_a_host_that_the_operator_did_not_name_is_refused(world: World) -> None:
    with pytest.raises(Invalid):
        await world.begin(redirect_uri="https://evil.example/steal")


async def test_the_device_flow_waits_for_the_person(world: World, eventually: Any) -> None:
    started = await world.begin(flow="device")
    assert (started.user_code, started.interval) == ("ABCD-1234", 1.0)
    scheduler = Scheduler(world.core.database, world.connect)
    await scheduler.start()
    try:
        await eventually(lambda: len(world.idp.token_calls) >= 1)
        assert (await world.connect.status(world.principal, started.state))["status"] == "pending"
        world.idp.consented = True

        async def done() -> bool:
            return (await world.connect.status(world.principal, started.state))["status"] == "completed"

        await eventually(done, within=10.0)
    finally:
        await scheduler.stop()


async def test_a_machine_is_connected_with_its_own_secret_and_refreshed_with_it(world: World) -> None:
    bound = await world.connect.machine(world.principal, _machine(world))
    assert (bound.secret.type, bound.secret.status, bound.secret.bound_hosts) == ("oauth_machine", "ready", ("api.example.test",))
    before = await world.value(bound.secret.id)
    assert await world.connect.refresh(world.sandbox_id, bound.secret.id, 1) == ("refreshed", 2)
    assert await world.value(bound.secret.id) != before
    assert {call["grant_type"] for call in world.idp.token_calls} == {"client_credentials"}


async def test_a_machine_whose_endpoint_refuses_is_not_stored(world: World) -> None:
    world.idp.faults.append(lambda form: json_answer({"error": "invalid_client"}, 401))
    with pytest.raises(OpenMiosaError, match="nothing was stored") as refused:
        await world.connect.machine(world.principal, _machine(world))
    assert refused.value.status == 422
    assert await world.core.vault.list(world.principal) == []


def _machine(world: World) -> MachineConnection:
    return MachineConnection(
        name="erp_token",
        token_url=f"https://{HOST}/token",
        client_id="m-1",
        client_secret=SecretValue("machine-secret-123456"),
        expose_as_env="ERP_TOKEN",
        allowed_hosts=("api.example.test",),
        resource_id=world.sandbox_id,
    )
