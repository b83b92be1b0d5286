"""What happens to sandboxes, told in the event streams."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .conftest import Box


@contextmanager
def events(client: Any, path: str, **query: Any) -> Iterator[Iterator[dict[str, Any]]]:
    """The frames of a stream, each with the name that stood beside it."""
    with client.stream("GET", path, params=query) as stream:
        assert stream.status_code == 200, stream.read()
        yield frames(stream.iter_lines())


def frames(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Parsed."""
    head: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and name:
            head[name] = value
        elif not line and "data" in head:
            yield {**json.loads(head["data"]), "_event": head.get("event"), "_id": head.get("id")}
            head = {}


def test_the_life_of_a_sandbox_is_told_to_its_tenant(client: Any, make: Any):
    with events(client, "/events/stream", types="sandbox.*") as told:
        box = make()
        box.post("/pause")
        box.post("/resume")
        client.delete(f"/sandboxes/{box.id}")
        mine = []
        while "sandbox.destroyed" not in [one["type"] for one in mine]:
            mine += [one for one in [next(told)] if one["resource_id"] == box.id]
    assert [one["type"] for one in mine] == ["sandbox.started", "sandbox.paused", "sandbox.resumed", "sandbox.destroyed"]
    assert all(one["_event"] == one["type"] == one["action"] and one["host"] == box.name for one in mine)
    assert {one["_id"] for one in mine} == {None}


def test_commands_are_told_of_when_they_begin_and_when_they_end(box: Box):
    with events(box.client, box.at("/events"), types="sandbox.exec.*") as told:
        box.run("exit 3")
        first, second = next(told), next(told)
    assert [first["type"], second["type"]] == ["sandbox.exec.started", "sandbox.exec.completed"]
    assert (second["metadata"]["process"], second["metadata"]["exit_code"]) == (first["metadata"]["process"], 3)


def test_calls_and_happenings_come_in_one_stream_and_calls_alone_where_they_are_tailed(box: Box):
    with events(box.client, box.at("/events")) as both, events(box.client, box.at("/audit/stream")) as calls:
        box.run("curl -s -m 5 http://nowhere.invalid/ || true")
        kinds = set()
        while not {"audit", "sandbox.exec.completed"} <= kinds:
            kinds.add(next(both)["type"])
        one = next(calls)
    assert (one["type"], one["_id"]) == ("audit", one["id"])


def test_types_narrow_calls_too(box: Box):
    with events(box.client, box.at("/events"), types="audit.error,audit.reject,sandbox.paused") as told:
        box.run("curl -s -m 5 http://nowhere.invalid/ || true")
        box.post("/pause")
        kinds = []
        while "sandbox.paused" not in kinds:
            kinds.append(next(told)["type"])
    assert set(kinds) <= {"audit", "sandbox.paused"}


def test_another_sandboxes_happenings_are_not_told(box: Box, make: Any):
    other = make()
    with events(box.client, box.at("/events")) as told:
        other.post("/pause")
        box.post("/pause")
        assert next(told)["resource_id"] == box.id
