"""State that outlives a restart, and records that are what the contract says."""

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from ..kit.names import Names
from ..kit.oracle import Row
from ..kit.system import World
from ..kit.system import world as make_world
from ..kit.upstreams import Internet

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "contracts" / "link" / "events.schema.json").read_text())


@pytest.fixture
def fresh(surrounding: tuple[Internet, Names]) -> Iterator[World]:
    """A system that this test alone stops and starts."""
    with make_world(*surrounding) as made:
        yield made


def test_a_restart_of_everything_keeps_secrets_policies_events_and_files(fresh: World):
    row = Row(fresh)
    row.sandbox.files.write("/workspace/notes", "kept")
    row.sandbox.network.lockdown(["ok.test"])
    row.expect("ok.test", "allow", times=2)
    row.expect("no.test", "reject", "host-denied")
    placeholder = row.run("echo $PH").stdout
    row.curl("-H", "Authorization: Bearer $PH", "https://ok.test/")
    row.world.wait(row.world.shipped, "the records")
    before = [event.id for event in row.decisions()]
    fresh.restart()
    row.accept_restarts()
    row.sandbox = fresh.client.sandboxes.get(row.sandbox.id)
    assert row.run("cat /workspace/notes").stdout == "kept"
    assert row.run("echo $PH").stdout == placeholder
    assert [event.id for event in row.decisions()] == before
    assert row.curl("https://no.test/").startswith("blocked: 403")
    assert row.curl("-H", "Authorization: Bearer $PH", "https://ok.test/") == '{"ok": true}'
    row.judge()


def test_keys_are_private_files_and_the_admin_key_is_stored_as_a_hash(world: World):
    assert stat.S_IMODE((world.system.state / "kek").stat().st_mode) == 0o600
    assert stat.S_IMODE(world.system.contexts.stat().st_mode) == 0o600
    key = world.system.api_key.encode()
    held = [path for path in world.system.state.rglob("*") if path.is_file() and path != world.system.contexts and path.name != "up.log"]
    assert [path for path in held if key in path.read_bytes()] == []


def test_every_record_that_egressd_shipped_is_as_the_contract_says(row: Row):
    row.expect("ok.test", "allow")
    row.expect("ok2.test", "reject", "secret-unbound")
    row.curl("-H", "Authorization: Bearer $PH", "https://ok.test/path?secret=query")
    row.curl("-H", "Authorization: Bearer $PH", "https://ok2.test/")
    row.world.wait(lambda: row.world.shipped() and all(event.ended_as for event in row.decisions()), "the records")
    with sqlite3.connect(f"file:{row.world.system.state / 'openmiosa.db'}?mode=ro", uri=True) as database:
        bodies = [json.loads(body) for (body,) in database.execute("select body from event_records")]
    database.close()
    mine = [body for body in bodies if body["sandbox"] == row.sandbox.id]
    assert {body["kind"] for body in mine} == {"intent", "decision", "outcome"}
    jsonschema.Draft202012Validator(SCHEMA).validate({"v": 1, "gateway": "gw_" + "0" * 26, "records": mine})
    assert "secret=query" not in json.dumps(mine)
    intents = [body["seq"] for body in mine if body["kind"] == "intent"]
    decisions = [body["seq"] for body in mine if body["kind"] == "decision" and body["secrets"] and body["action"] == "allow"]
    assert intents[0] < decisions[0], "the intent is on record first"
