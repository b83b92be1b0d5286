"""Who may not: rows for every operation, generated from the document, so that a new route has them or fails.

The objects belong to one end user. Strangers are a key of another tenant and a key of another end user; both hold
exactly the scope that the document names, so that what stops them is not the lack of it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openmiosa_server.identity import SCOPES
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .objects import NAMES, OTHER, Objects, Wanted
from .operations import OPERATIONS, SOCKETS

KEYED = [told for told in OPERATIONS if told.get("security") != []]
SCOPED = [told for told in KEYED if "x-scope" in told]
FREE = {"oauth.callback", "document.get", "health.alive", "health.ready", "health.metrics"}


def named(told: dict[str, Any]) -> str:
    """A row's name."""
    return str(told["operationId"])


def every(operations: list[dict[str, Any]]) -> pytest.MarkDecorator:
    """A row for each."""
    return pytest.mark.parametrize("told", operations, ids=named)


def places(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where an operation can name an object: its path, and each query or field of the body with such a name."""
    if any(given["in"] == "path" for given in told["parameters"]):
        yield "path", ""
    for given in told["parameters"]:
        if given["in"] == "query" and given["name"] in NAMES and told["operationId"] != "sandboxes.list":
            yield "query", given["name"]
    for name in (told["body"] or {}).get("properties", {}):
        if name in NAMES and name not in ("external_user_id", "state"):
            yield "body", name


ADDRESSED = [pytest.param(told, *place, id="-".join((named(told), *filter(None, place)))) for told in KEYED for place in places(told)]
UNADDRESSED = [told for told in KEYED if not list(places(told))]


@pytest.fixture(scope="package")
def revoked(objects: Objects) -> str:
    """A key with every scope that was deleted."""
    made = objects.made("POST", "/api-keys", {"name": "revoked"})
    objects.send(Wanted("DELETE", f"/api-keys/{made['id']}"), objects.admin)
    return str(made["token"])


@pytest.fixture(scope="package")
def narrow(objects: Objects) -> dict[str, dict[str, str]]:
    """Keys by who holds them and by the one scope that they have; and of the owner by the one that they lack."""
    stranger = objects.world.stranger
    return {
        "lacking": {scope: objects.key(*(set(SCOPES) - {scope})) for scope in SCOPES},
        "tenant": {scope: objects.key(scope, by=stranger) for scope in SCOPES} | {"": stranger},
        "user": {scope: objects.key(scope, user=OTHER) for scope in SCOPES} | {"": objects.key("audit:read", user=OTHER)},
    }


def test_only_these_need_no_key():
    assert {told["operationId"] for told in OPERATIONS if told not in KEYED} == FREE


@every(KEYED)
def test_without_a_key(objects: Objects, told: dict[str, Any]):
    refused(objects.send(objects.wanted(told), None), 401)


@every(KEYED)
def test_with_a_revoked_key(objects: Objects, revoked: str, told: dict[str, Any]):
    refused(objects.send(objects.wanted(told), revoked), 401)


@every(SCOPED)
def test_without_the_scope(objects: Objects, narrow: dict[str, dict[str, str]], told: dict[str, Any]):
    error = refused(objects.send(objects.wanted(told), narrow["lacking"][told["x-scope"]]), 403)
    assert (error["code"], error["details"]["required"]) == ("INSUFFICIENT_SCOPE", told["x-scope"])


@pytest.mark.parametrize("who", ["tenant", "user"])
@pytest.mark.parametrize(("told", "place", "name"), ADDRESSED)
def test_a_stranger_finds_nothing(
    objects: Objects, narrow: dict[str, dict[str, str]], told: dict[str, Any], place: str, name: str, who: str
):
    wanted = objects.wanted(told)
    if place == "query":
        wanted.params[name] = objects.ids[NAMES[name]]
    elif place == "body":
        wanted.body = {**(wanted.body or {}), name: objects.ids[NAMES[name]]}
    answer = objects.send(wanted, narrow[who][told.get("x-scope", "")])
    if place == "query" and told["method"] == "GET" and answer.status_code == 200:
        assert_empty(answer)
    else:
        refused(answer, 404)


@pytest.mark.parametrize("who", ["tenant", "user"])
@every(UNADDRESSED)
def test_a_stranger_sees_only_what_is_its_own(objects: Objects, narrow: dict[str, dict[str, str]], told: dict[str, Any], who: str):
    answer = objects.send(objects.wanted(told), narrow[who][told.get("x-scope", "")])
    assert answer.status_code < 500, answer.text
    assert '"required":' not in answer.text, "the scope that the document names is not enough"
    assert [kind for kind, value in objects.own().items() if value in answer.text] == []
    if told["operationId"] == "sandboxes.create":
        objects.send(
            Wanted("DELETE", f"/sandboxes/{answer.json()['data']['id']}"), objects.admin if who == "user" else objects.world.stranger
        )


@every(SOCKETS)
def test_a_socket_is_refused_before_it_opens(objects: Objects, revoked: str, narrow: dict[str, dict[str, str]], told: dict[str, Any]):
    scope = told["x-scope"]
    rows = {None: 401, revoked: 401, narrow["lacking"][scope]: 403, narrow["tenant"][scope]: 404, narrow["user"][scope]: 404}
    url = (
        objects.world.system.base_url.replace("http", "ws")
        + "/api/v1"
        + re.sub(r"\{(\w+)\}", lambda found: objects.ids[found[1]], told["path"])
    )
    for key, status in rows.items():
        with pytest.raises(InvalidStatus) as raised:
            connect(url, additional_headers={} if key is None else {"Authorization": f"Bearer {key}"}, proxy=None)
        answer = raised.value.response
        assert answer.status_code == status, (key, answer.body)
        assert answer.headers["X-Request-Id"].startswith("req_")


def refused(answer: Any, status: int) -> dict[str, Any]:
    """The error of an answer that must be this refusal."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    error = answer.json()["error"]
    assert answer.headers["X-Request-Id"] == error["request_id"]
    assert error["message"]
    return dict(error)


def assert_empty(answer: Any) -> None:
    """A list without entries, or a file without lines."""
    if "json" in answer.headers["content-type"] and "ndjson" not in answer.headers["content-type"]:
        assert [value for name, value in answer.json().items() if value and name != "meta"] == []
    else:
        assert answer.text == ""
