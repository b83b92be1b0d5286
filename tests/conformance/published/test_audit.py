"""Rows 22 to 24: the record of what went out, and its tails."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .drive import Follower
from .stage import GITHUB, OPENAI

method = pytest.mark.method
ISSUES = f"curl -s -o /dev/null https://{GITHUB}/repos/o/r/issues?state=open"
MODELS = f"curl -s -o /dev/null https://{OPENAI}/v1/models"


def tailed(own: Any, stream: Callable[[], Iterator[Any]], wanted: Callable[[Any], bool]) -> Any:
    """The first event that is wanted, out of a tail that is open while the sandbox calls."""
    follow = Follower(stream, lambda seen: any(wanted(event) for event in seen))
    while not follow.done:
        own.exec(ISSUES)
    return next(event for event in follow.result() if wanted(event))


@method(22, "sandbox.audit.list")
def test_calls_are_listed_oldest_first_without_their_query(own: Any):
    own.exec(f"{ISSUES}; {MODELS}")
    events = own.audit.list()
    assert [(event["host"], event["path"], event["status_code"]) for event in events] == [
        (GITHUB, "/repos/o/r/issues", 200),
        (OPENAI, "/v1/models", 401),
    ]
    assert {event["resource_id"] for event in events} == {own.id}


@method(22, "audit.list")
def test_a_list_honours_host_action_limit_since_and_cursor(client: Any, own: Any):
    own.exec(f"{ISSUES}; {MODELS}")
    first, second = own.audit.list()
    place = {"resource_id": own.id, "resource_type": "sandbox"}
    lists: list[dict[str, Any]] = [{"host": OPENAI}, {"limit": 1}, {"cursor": first["id"]}, {"since": second["timestamp"]}]
    assert [[event["id"] for event in client.audit.list(**place, **wanted)] for wanted in lists] == [[second["id"]]] * 4
    assert client.audit.list(**place, action="denied") == []


@method(23, "audit.get")
@method(23, "sandbox.audit.get")
def test_one_event_is_found_by_its_id(client: Any, own: Any):
    own.exec(ISSUES)
    event = own.audit.list()[0]
    for found in (client.audit.get(event["id"]), own.audit.get(event["id"])):
        assert (found["id"], found["method"], found["action"], found["effect"]) == (event["id"], "GET", "allow", "allow")


@method(24, "sandbox.audit.tail")
def test_the_tail_of_a_sandbox_gives_events_as_plain_dictionaries(own: Any):
    event = tailed(own, own.audit.tail, lambda event: event["host"] == GITHUB)
    assert (event["resource_id"], event["request_transforms"]["secrets"]["swapped"]) == (own.id, [])


@method(24, "sandbox.audit.tail(types=)")
def test_the_tail_of_a_sandbox_gives_calls_alone_when_asked_to(own: Any):
    tail = Follower(lambda: own.audit.tail(types="audit"), lambda events: len(events) >= 2)
    while not tail.done:
        own.exec(ISSUES)
    assert {event["host"] for event in tail.result()} == {GITHUB}


@method(24, "sandbox.events.stream")
def test_the_events_of_a_sandbox_carry_type_text_and_id(own: Any):
    event = tailed(own, own.events.stream, lambda event: event["type"] == "audit")
    call = json.loads(event["data"])
    assert (call["type"], call["host"], call["id"]) == ("audit", GITHUB, event["id"])


@method(22, "audit.tail")
def test_the_tail_of_the_tenant_polls_and_repeats_nothing(client: Any, own: Any):
    def enough(events: list[Any]) -> bool:
        return len(events) >= 3

    follow = Follower(lambda: client.audit.tail(resource_id=own.id, poll_interval=0.05), enough)
    while not follow.done:
        own.exec(ISSUES)
    ids = [event["id"] for event in follow.result()]
    assert len(set(ids)) == 3


@method("next", "events.stream")
def test_the_events_of_the_tenant_come_from_every_sandbox(client: Any, own: Any):
    event = tailed(own, client.events.stream, lambda event: event["type"] == "audit" and event["resource_id"] == own.id)
    assert (event["host"], event["status_code"]) == (GITHUB, 200)


@method("next", "events.stream(types=)")
def test_what_happens_to_a_sandbox_is_told_to_whoever_asks_for_it(client: Any, own: Any):
    event = tailed(own, lambda: client.events.stream(types=["sandbox.*"]), lambda event: event["resource_id"] == own.id)
    assert event["type"].startswith("sandbox.exec.")
