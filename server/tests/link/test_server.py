"""link.sock: who may speak, and that every record is stored exactly once."""

import asyncio
import base64
import contextlib

import httpx2
import pytest
from openmiosa_server.link import LinkServer


@pytest.fixture
async def link(core):
    await core.link.start()
    async with httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(uds=str(core.folder / "link.sock")), base_url="http://server"
    ) as client:
        yield client


def record(sandbox, seq, kind="decision", event="evt_1", **fields):
    base = {"seq": seq, "kind": kind, "at": "2026-11-24T10:00:00.000001Z", "event": event, "sandbox": sandbox, "tenant": "ten_x"}
    return base | {"host": "api.openai.com", "action": "allow", "status": 200, "effect": "allow", "method": "GET", "path": "/v1"} | fields


async def ship(link, *records):
    return (await link.post("/v1/events", json={"v": 1, "gateway": "gw_1", "records": list(records)})).json()


async def test_hello_answers_the_epoch(core, link):
    await core.publisher.resync()
    key = base64.b64encode(bytes(32)).decode()
    reply = await link.post("/v1/hello", json={"v": 1, "gateway": "gw_1", "boot": "b", "public_key": key, "version": "0"})
    assert reply.json()["epoch"] >= 1


async def test_records_are_acknowledged_by_their_highest_number(core, link):
    sandbox = await core.sandbox(await core.tenant())
    assert await ship(link, record(sandbox, 7), record(sandbox, 8, "outcome", bytes_in=5, end="complete")) == {"acknowledged": 8}


async def test_what_is_shipped_twice_is_stored_once(core, link):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    for _ in range(3):
        await ship(link, record(sandbox, 1), record(sandbox, 2, event="evt_2"))
    assert [event["id"] for event in (await core.audit.list(principal)).events] == ["evt_1", "evt_2"]


async def test_decision_and_outcome_are_one_event(core, link):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    await ship(link, record(sandbox, 1, "intent"), record(sandbox, 2))
    await ship(link, record(sandbox, 3, "outcome", bytes_in=4096, bytes_out=512, duration_us=181000, end="complete"))
    (event,) = (await core.audit.list(principal)).events
    assert (event["status_code"], event["bytes_in"], event["duration_ms"], event["ended_as"]) == (200, 4096, 181.0, "complete")


async def test_the_tenant_of_an_event_is_the_sandboxs_whatever_the_record_says(core, link):
    principal, other = await core.tenant(), await core.tenant()
    await ship(link, record(await core.sandbox(principal), 1, tenant=other.tenant_id))
    assert (await core.audit.list(other)).events == []
    assert len((await core.audit.list(principal)).events) == 1


async def test_refresh_asks_connect(core, link):
    async def refresh(sandbox, secret, version):
        return "refreshed", version + 1

    core.link.refresh = refresh
    reply = await link.post("/v1/refresh", json={"v": 1, "sandbox": "sbx_1", "secret": "sec_1", "version": 3})
    assert reply.json() == {"result": "refreshed", "version": 4}


@pytest.mark.parametrize(
    "body", [{"v": 2}, {"v": 1}, {"v": 1, "gateway": "gw_1", "records": [{"seq": 1}]}, [], {"v": 1, "gateway": "g", "records": 5}]
)
async def test_a_message_that_is_none_is_refused_in_the_links_own_words(link, body):
    reply = await link.post("/v1/events", json=body)
    assert reply.status_code == 400
    assert set(reply.json()["error"]) == {"code", "message", "retry"}


async def test_a_body_that_is_not_json_is_refused(link):
    assert (await link.post("/v1/events", content=b"{")).status_code == 400


async def test_another_user_id_is_hung_up_on(core, monkeypatch):
    server = LinkServer(core.folder / "other.sock", core.publisher, core.audit)
    server._peer_uids = frozenset({4242})
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(core.folder / "other.sock"))
    writer.write(b"POST /v1/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.transport.abort()
    await server.stop()
