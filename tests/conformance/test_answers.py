"""Every operation once, as its owner would, with a key that has the one scope that the document names.

It works, and what it answers is what the document says, to the last field.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema
import pytest

from .objects import Objects, Wanted
from .operations import DOCUMENT, OPERATIONS, resolved

# These take away what they name, so they get a thing of their own.
ENDS = {"commands.kill"}
ALL = [told for told in OPERATIONS if not told["root"] and told["operationId"] != "oauth.callback"]
ROOT = [told for told in OPERATIONS if told["root"]]


def _closed(told: Any) -> Any:
    """The document with no room for fields that it does not name."""
    if isinstance(told, dict):
        closed = {name: _closed(value) for name, value in told.items()}
        if isinstance(told.get("properties"), dict):
            closed.setdefault("additionalProperties", False)
        return closed
    return [_closed(item) for item in told] if isinstance(told, list) else told


CLOSED = _closed(copy.deepcopy(DOCUMENT))


@pytest.mark.parametrize("told", ALL, ids=lambda told: told["operationId"])
def test_it_answers_what_the_document_says(objects: Objects, told: dict[str, Any]):
    objects.fresh("file")
    objects.fresh("variable")
    ends = told["method"] == "DELETE" and told["path"].endswith("}")
    wanted = objects.wanted(told, fresh=ends or told["operationId"] in ENDS)
    # A key gives no scope that it lacks, and changes no key that may do more.
    beyond = "scopes" in (wanted.body or {}) or told["operationId"] in ("api_keys.update", "api_keys.rotate")
    key = objects.admin if "x-scope" not in told or beyond else objects.only(told["x-scope"])
    good = next((status for status in told["responses"] if status.startswith("2")), "501")
    with objects.opened(wanted, key) as answer:
        assert answer.status_code == int(good), answer.read()
        assert answer.headers["X-Request-Id"].startswith("req_")
        if told["operationId"] == "files.watch":
            objects.fresh("file")  # so that there is a change to tell
        conforms(answer, resolved(told["responses"][good]))


@pytest.mark.parametrize("told", ROOT, ids=lambda told: told["operationId"])
def test_probes_answer_what_the_document_says(objects: Objects, told: dict[str, Any]):
    answer = httpx2.get(objects.world.system.base_url + told["path"])
    assert answer.status_code == 200
    conforms(answer, told["responses"]["200"])


def test_the_document_that_is_served_is_the_one_in_the_tree(objects: Objects):
    assert objects.send(Wanted("GET", "/openapi.json"), None).json() == DOCUMENT


def conforms(answer: httpx2.Response, said: dict[str, Any]) -> None:
    """The body has one of the documented types, and the shape that goes with it."""
    if "content" not in said:
        assert answer.read() == b""
        return
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in said["content"]
    about = said["content"][kind]
    if kind == "application/json":
        fits(json.loads(answer.read()), about["schema"])
    elif kind == "text/event-stream":
        frames = list(_frames(answer))
        assert frames
        for name, data in frames:
            fits(data, about["itemSchema"]["properties"]["data"]["contentSchema"])
            assert data["type"] == name


def fits(value: Any, schema: dict[str, Any]) -> None:
    """The value is what the schema says and nothing more."""
    jsonschema.validate(value, {**_closed(schema), "components": CLOSED["components"]})


def _frames(answer: httpx2.Response) -> Iterator[tuple[str, Any]]:
    """Names and data, until the stream ends; of one that has no end, the first."""
    name = ""
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = json.loads(value)
            yield name, data
            if name in ("audit", "created") or data.get("line") == "started":
                return


def test_sandboxes_come_in_pages_also_when_few_have_the_tag(objects: Objects):
    made = [objects.made("POST", "/sandboxes", {"tags": ["paged"] if number % 2 else []})["id"] for number in range(4)]
    wanted, seen = Wanted("GET", "/sandboxes", {"tags": "paged", "limit": 1}), []
    while True:
        page = objects.send(wanted, objects.admin).json()
        seen += [sandbox["id"] for sandbox in page["data"]]
        if page["next_cursor"] is None:
            break
        wanted.params["cursor"] = page["next_cursor"]
    assert seen == [made[3], made[1]]
