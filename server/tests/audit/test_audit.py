"""Lists, tails and exports of events."""

import asyncio
import csv
import io
import json

import pytest
from openmiosa_server.audit import EventFilter
from openmiosa_server.audit.tail import BUFFER
from openmiosa_server.db.clock import parse
from openmiosa_server.errors import InsufficientScope, Invalid, NotFound


class Shipper:
    """Ships numbered decisions."""

    def __init__(self, core, sandbox):
        self.core, self.sandbox, self.seq = core, sandbox, 0

    async def __call__(self, count=1, **fields):
        records = [self.record(**fields) for _ in range(count)]
        await self.core.audit.ingest(f"gw_{self.sandbox}", records)
        return [record["event"] for record in records]

    def record(self, **fields):
        self.seq += 1
        base = {
            "seq": self.seq,
            "kind": "decision",
            "at": f"2026-11-24T10:00:{self.seq % 60:02}.000001Z",
            "event": f"evt_{self.sandbox}_{self.seq:05}",
        }
        base |= {"sandbox": self.sandbox, "host": "api.openai.com", "port": 443, "protocol": "https", "method": "POST", "path": "/v1"}
        base |= {
            "action": "allow",
            "effect": "allow",
            "status": 200,
            "secrets": [{"secret": "sec_1", "name": "openai_key", "version": 1, "place": "header"}],
        }
        return base | fields


@pytest.fixture
async def principal(core):
    return await core.tenant()


@pytest.fixture
async def ship(core, principal):
    return Shipper(core, await core.sandbox(principal, "support-agent"))


async def collect(stream, count, within=5.0):
    found = []
    async with asyncio.timeout(within):
        async for event in stream:
            found.append(event["id"])
            if len(found) == count:
                return found
    return found


async def test_an_event_has_the_fields_of_the_wire(core, principal, ship):
    (event_id,) = await ship()
    event = await core.audit.get(principal, event_id)
    assert event["request_transforms"] == {"secrets": {"swapped": ["openai_key"]}}
    assert (event["action"], event["status_code"], event["timestamp"]) == ("allow", 200, "2026-11-24T10:00:01.000001Z")
    assert {"id", "tenant_id", "resource_id", "policy_id", "rule_id", "metadata", "inserted_at", "actor_id"} <= set(event)


async def test_a_refusal_names_what_refused_and_swaps_nothing(core, principal, ship):
    (event_id,) = await ship(action="reject", effect="deny", status=403, reason="host-denied", rule="rul_1")
    event = await core.audit.get(principal, event_id)
    assert (event["rejected_by"], event["reason"], event["request_transforms"]["secrets"]["swapped"]) == ("rul_1", "host-denied", [])


async def test_without_since_the_newest_come_oldest_first(core, principal, ship):
    made = await ship(10)
    page = await core.audit.list(principal, EventFilter(limit=3))
    assert [event["id"] for event in page.events] == made[-3:]


async def test_pages_follow_each_other_without_gap_or_repeat(core, principal, ship):
    made = await ship(10)
    seen, cursor = [], None
    while True:
        page = await core.audit.list(principal, EventFilter(limit=4, cursor=cursor, since=parse("2020-01-01")))
        seen += [event["id"] for event in page.events]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == made


async def test_since_includes_its_moment(core, principal, ship):
    made = await ship(3)
    page = await core.audit.list(principal, EventFilter(since=parse("2026-11-24T10:00:02.000001Z")))
    assert [event["id"] for event in page.events] == made[1:]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"host": "*.openai.com"}, 1),
        ({"host": "openai.com"}, 0),
        ({"host": "%"}, 0),
        ({"action": "denied"}, 1),
        ({"action": "allowed"}, 1),
        ({"method": "get"}, 1),
        ({"secret": "openai_key"}, 1),
        ({"secret": "openai%"}, 0),
        ({"resource_id": "support-agent"}, 2),
        ({"until": parse("2026-11-24T10:00:01.5Z")}, 1),
    ],
)
async def test_filters(core, principal, ship, wanted, found):
    await ship()
    await ship(host="evil.test", action="reject", effect="deny", status=403, method="GET", secrets=[])
    assert len((await core.audit.list(principal, EventFilter(**wanted))).events) == found


async def test_an_action_that_is_none_is_refused(core, principal):
    with pytest.raises(Invalid):
        await core.audit.list(principal, EventFilter(action="maybe"))


async def test_a13_another_tenants_events_are_not_there(core, ship):
    (event_id,) = await ship()
    other = await core.tenant()
    assert (await core.audit.list(other)).events == []
    for attempt in (
        core.audit.get(other, event_id),
        core.audit.tail(other, resource_id=ship.sandbox),
        core.audit.tail(other, after=event_id),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_tail_gives_what_is_committed_after_it_began(core, principal, ship):
    await ship(3)
    stream = await core.audit.tail(principal, resource_id="support-agent")
    later = await ship(3)
    assert await collect(stream, 3) == later


async def test_a_tail_resumes_after_an_event_without_gap_or_repeat(core, principal, ship):
    made = await ship(5)
    stream = await core.audit.tail(principal, after=made[1])
    made += await ship(5)
    assert await collect(stream, 8) == made[2:]


async def test_a_tail_sees_its_own_sandbox_alone(core, principal, ship):
    other = Shipper(core, await core.sandbox(principal))
    stream = await core.audit.tail(principal, resource_id="support-agent")
    await other(2)
    made = await ship()
    assert await collect(stream, 1) == made


async def test_a09_a_slow_tail_holds_a_bounded_buffer_and_loses_nothing(core, principal, ship):
    stream = await core.audit.tail(principal)
    first = await ship()
    assert await collect(stream, 1) == first
    made = []
    for _ in range(5):
        made += await ship(BUFFER // 2)
    (watcher,) = core.audit._tails._watchers
    assert len(watcher._buffer) <= BUFFER
    assert await collect(stream, len(made), within=30) == made


async def test_events_that_arrive_while_a_tail_catches_up_come_once(core, principal, ship):
    made = await ship(50)
    stream = await core.audit.tail(principal, after=made[0])

    async def more():
        return [event for _ in range(50) for event in await ship()]

    seen, late = await asyncio.gather(collect(stream, 99, within=30), more())
    assert seen == made[1:] + late


async def test_two_tails_see_the_same(core, principal, ship):
    streams = [await core.audit.tail(principal) for _ in range(2)]
    watching = [asyncio.create_task(collect(stream, 3)) for stream in streams]
    made = await ship(3)
    assert await asyncio.gather(*watching) == [made, made]


async def test_closing_ends_every_tail(core, principal, ship):
    stream = await core.audit.tail(principal)
    watching = asyncio.create_task(collect(stream, 5))
    made = await ship()
    core.audit.close()
    assert await watching == made


async def test_an_ended_tail_is_forgotten(core, principal, ship):
    stream = await core.audit.tail(principal)
    await ship()
    await collect(stream, 1)
    await stream.aclose()
    assert core.audit._tails._watchers == set()


async def test_a_key_without_audit_read_follows_nothing(core, principal):
    blind = await core.tenant("sandboxes:read", tenant_id=principal.tenant_id)
    with pytest.raises(InsufficientScope):
        await core.audit.tail(blind)


async def test_json_lines_are_the_events(core, principal, ship):
    made = await ship(3)
    text = b"".join([part async for part in await core.audit.export(principal, EventFilter(), "jsonl")])
    assert [json.loads(line)["id"] for line in text.splitlines()] == made


async def test_a_spreadsheet_runs_nothing_that_a_sandbox_chose(core, principal, ship):
    await ship(path='=cmd|"/c calc"!A1')
    text = b"".join([part async for part in await core.audit.export(principal, EventFilter(), "csv")]).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["path"].startswith("'=")
    assert row["secrets"] == "openai_key"


async def test_a04_fields_are_cut_at_their_limits(core, principal, ship):
    (event_id,) = await ship(method="M" * 60000, path="/" + "p" * 65536, host="h" * 3000)
    event = await core.audit.get(principal, event_id)
    assert (len(event["method"]), len(event["host"])) == (32, 255)
    assert len(event["path"]) <= 2048


async def test_using_a_secret_notes_when(core, principal, ship, secret):
    made = (await core.vault.set(principal, secret)).secret
    await ship(secrets=[{"secret": made.id, "name": made.name, "version": 1, "binding": "bnd_1", "place": "header"}])
    assert (await core.vault.get(principal, "openai_key")).last_used_at is not None
