"""The API's document: the one in the tree is the one that the server answers, and every route says enough of itself."""

import re
from typing import Any

import jsonschema
import pytest
from fastapi import APIRouter
from openmiosa_server.api import document
from openmiosa_server.api.operation import operation
from openmiosa_server.api.route import Route
from openmiosa_server.identity import SCOPES

from tools.dump_openapi import TARGET, rendered

from .operations import DOCUMENT, OPERATIONS, SOCKETS


def test_the_document_in_the_tree_is_the_servers():
    assert TARGET.read_text() == rendered(), (
        "the routes have changed: run .venv/bin/python tools/dump_openapi.py and look at the difference"
    )


def test_identifiers_are_unique_and_dotted():
    names = [told["operationId"] for told in (*OPERATIONS, *SOCKETS)]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []


def test_every_operation_says_who_calls_it_and_which_scope_it_needs():
    for told in (*OPERATIONS, *SOCKETS):
        assert len({"x-sdk", "x-compat", "x-no-sdk"} & told.keys()) == 1, told["operationId"]
        assert told.get("x-scope") in {*SCOPES, None}, told["operationId"]


def test_what_is_there_for_published_clients_names_an_operation_of_ours():
    ours = {told["operationId"] for told in (*OPERATIONS, *SOCKETS) if "x-sdk" in told}
    assert [told["operationId"] for told in (*OPERATIONS, *SOCKETS) if "x-compat" in told and told["x-compat"] not in ours] == []


def test_every_reference_leads_somewhere():
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', TARGET.read_text())):
        found: Any = DOCUMENT
        for part in reference.split("/"):
            found = found[part]


def test_every_parameter_and_every_schema_is_described():
    bare = [f"{told['operationId']} {given['name']}" for told in OPERATIONS for given in told["parameters"] if not given.get("description")]
    assert bare == []
    assert [name for name, schema in DOCUMENT["components"]["schemas"].items() if _bare(name, schema)] == []


def test_every_schema_is_one_and_accepts_its_own_examples():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", ()):
            jsonschema.validate(example, {"$ref": f"#/components/schemas/{name}", **DOCUMENT})


def test_every_body_has_an_example():
    assert [told["operationId"] for told in OPERATIONS if told["body"] is not None and not told["body"].get("examples")] == []


def test_a_route_that_says_nothing_of_itself_is_not_made():
    router = APIRouter(route_class=Route)
    with pytest.raises(TypeError, match=r"'/new': say what it is: @router\.get\(path, \*\*operation"):
        router.get("/new")(_handler)


def test_an_operation_that_nobody_calls_is_not_made():
    with pytest.raises(TypeError, match="give exactly one of sdk, compat and no_sdk"):
        operation("things.list", scope="sandboxes:read")


def test_a_parameter_without_words_is_not_documented():
    router = APIRouter(route_class=Route)
    router.get("/new/{thing}", **operation("templates.get", scope=None, sdk="client.template"))(_with_parameter)
    with pytest.raises(TypeError, match="describe the parameter 'thing'"):
        document.describe(router.routes)


def test_a_socket_without_words_is_not_documented():
    router = APIRouter()
    router.websocket("/new")(_handler)
    with pytest.raises(TypeError, match=r"mark it with @socket\('noun.verb'"):
        document.describe(router.routes)


async def _handler() -> None:
    """Nothing."""


async def _with_parameter(thing: str) -> None:
    """A thing."""


def _bare(name: str, schema: dict[str, Any]) -> bool:
    envelope = re.search(r"(Answer|List|Page)$", name)
    return not schema.get("description") and not envelope
