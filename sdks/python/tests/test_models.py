"""Typed records: what is known, what is not, and what is never shown."""

import dataclasses
from datetime import UTC, datetime

import pytest
from openmiosa import ApiKey, Event, FileTree, Policy, Secret, UnexpectedReplyError, _envelope

EVENT = {
    "id": "evt_1",
    "action": "allow",
    "host": "api.openai.com",
    "status_code": 200,
    "timestamp": "2026-11-24T10:00:00.123456Z",
    "request_transforms": {"secrets": {"swapped": ["openai_key"]}},
}


def test_an_event_prints_as_the_documentation_shows_it():
    assert str(Event.from_json(EVENT)) == "[audit] allow api.openai.com HTTP 200 secrets=openai_key"


def test_an_event_without_secrets_says_none():
    assert str(Event.from_json({**EVENT, "request_transforms": {"secrets": {"swapped": []}}})).endswith("secrets=none")


def test_several_secrets_are_separated_by_commas():
    event = Event.from_json({**EVENT, "request_transforms": {"secrets": {"swapped": ["a", "b"]}}})
    assert str(event).endswith("secrets=a,b")
    assert event.request_transforms.secrets.swapped == ("a", "b")


def test_what_a_sandbox_chose_cannot_steer_the_terminal():
    assert "\x1b" not in str(Event.from_json({**EVENT, "host": "x\x1b[2J\r\nexample.com\u202e"}))


def test_times_are_aware():
    assert Event.from_json(EVENT).timestamp == datetime(2026, 11, 24, 10, 0, 0, 123456, UTC)


def test_fields_of_the_future_are_kept_aside():
    assert Event.from_json({**EVENT, "mood": "good"}).unknown == {"mood": "good"}


def test_null_is_the_default():
    assert Policy.from_json({"id": "pol_1", "mode": None, "allow_rules": None}) == Policy(id="pol_1")


def test_records_nest():
    tree = FileTree.from_json({"path": "/", "type": "dir", "children": [{"path": "/a", "type": "file", "size": 3}]})
    assert tree.is_dir
    assert tree.children[0].size == 3


def test_records_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Policy(id="pol_1").mode = "enforce"  # type: ignore[misc]


@pytest.mark.parametrize("body", [{"name": "x"}, [], None, "text", {**EVENT, "timestamp": "yesterday"}, {**EVENT, "secrets": 3}])
def test_what_is_no_such_record_is_said(body):
    with pytest.raises(UnexpectedReplyError):
        Event.from_json(body)


@pytest.mark.parametrize("name", ["token", "key"])
def test_a_new_keys_text_is_there_and_in_no_repr(name):
    made = ApiKey.from_json({"id": "key_1", "name": "ci", name: "msk_live_secret"})
    assert made.token == "msk_live_secret"
    assert "msk_live_secret" not in repr(made) + str(made) + str(made.unknown)


def test_a_value_that_should_not_be_there_is_in_no_repr():
    assert "sk-real" not in repr(Secret.from_json({"id": "sec_1", "name": "k", "value": "sk-real"}))


NAMES = ("data", "items", "secrets", "rules", "allowlist", "events", "audit", "api_keys", "suggestions")
LISTS = [[{"id": 1}], *({name: [{"id": 1}]} for name in NAMES)]


@pytest.mark.parametrize("body", [*LISTS, {"data": {"path": "/", "entries": [{"id": 1}]}}])
def test_lists_are_found_under_every_known_name(body):
    assert _envelope.many(body) == [{"id": 1}]


@pytest.mark.parametrize("body", [{"id": 1}, {"data": {"id": 1}}, {"data": {"id": 1}, "binding": {"id": 2}}])
def test_single_records_are_found_flat_or_wrapped(body):
    assert _envelope.one(body, "secret")["id"] == 1
