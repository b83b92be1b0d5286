"""What follows for the server from how the published clients address it, repeat, read errors and unwrap answers (wire, sections 2 to 5)."""

import re
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import pytest

from .objects import Objects, Wanted
from .operations import DOCUMENT, OPERATIONS
from .test_quirks import get

ANSWERS = DOCUMENT["components"]["schemas"]


def raw(objects: Objects, method: str, path: str, **options: Any) -> httpx2.Response:
    """A call below the root, with the key and nothing else."""
    headers = {"Authorization": f"Bearer {objects.admin}", **options.pop("headers", {})}
    return httpx2.request(method, objects.world.system.base_url + path, headers=headers, timeout=20, **options)


def test_section_2_double_slashes_are_one(objects: Objects):
    assert raw(objects, "GET", "/api/v1//sandboxes").status_code == 200
    assert raw(objects, "GET", f"//api/v1//sandboxes//{objects.ids['key']}").json()["data"]["id"] == objects.ids["key"]


def test_section_2_a_missing_body_is_an_empty_object(objects: Objects):
    for path in (f"/sandboxes/{objects.ids['key']}/resume", f"/sandboxes/{objects.ids['key']}/snapshots", "/egress/observe"):
        answer = raw(objects, "POST", f"/api/v1{path}")
        assert answer.status_code in (200, 201), answer.text


def test_section_2_every_answer_names_its_request(objects: Objects):
    for path in ("/api/v1/sandboxes", "/api/v1/sandboxes/none", "/api/v1/no/such/route", "/healthz", "/nothing"):
        assert raw(objects, "GET", path).headers["X-Request-Id"].startswith("req_")
    given = raw(objects, "GET", "/api/v1/sandboxes", headers={"X-Request-Id": "my-own-request-1"})
    assert given.headers["X-Request-Id"] == "my-own-request-1"


def test_section_2_headers_of_the_clients_change_nothing(objects: Objects):
    headers = {"X-MIOSA-Tenant": "somebody-else", "x-miosa-client-id": "miosa-python/2.19.2", "User-Agent": ""}
    given = raw(objects, "GET", "/api/v1/whoami", headers=headers).json()["data"]
    assert given == get(objects, "/whoami")["data"]


def test_section_3_a_repeated_create_makes_one_sandbox(objects: Objects):
    answers = [raw(objects, "POST", "/api/v1/sandboxes", json={}, headers={"Idempotency-Key": "section-3-create"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["data"]["id"] == answers[1].json()["data"]["id"]
    assert answers[1].headers["Idempotency-Replayed"] == "true"


def test_section_3_a_key_belongs_to_one_request(objects: Objects):
    headers = {"Idempotency-Key": "section-3-reused"}
    raw(objects, "POST", "/api/v1/egress/observe", json={}, headers=headers)
    answer = raw(objects, "POST", "/api/v1/egress/observe", json={"resource_id": objects.ids["key"]}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("path", ["/sandboxes/none", "/egress/secrets/none", "/api-keys/none", "/sandboxes?limit=none", "/no/such/route"])
def test_section_4_errors_are_nested_and_copied_to_the_top(objects: Objects, path: str):
    body = raw(objects, "GET", f"/api/v1{path}").json()
    assert set(body) == {"error", "message", "code", "request_id"}
    assert (body["error"]["code"], body["error"]["message"]) == (body["code"], body["message"])
    assert {"details", "retry", "request_id"} <= body["error"].keys()
    assert re.fullmatch("[A-Z][A-Z0-9_]+", body["code"])


def test_section_4_a_name_that_is_free_is_404_and_a_destroyed_ones_too(objects: Objects):
    name = "section 4 é"
    path = f"/sandboxes/by-name/{quote(name, safe='')}"
    assert objects.send(Wanted("GET", path), objects.admin).status_code == 404
    made = objects.made("POST", "/sandboxes", {"name": name})
    assert get(objects, path)["data"]["id"] == made["id"]
    objects.send(Wanted("DELETE", f"/sandboxes/{made['id']}"), objects.admin)
    assert objects.send(Wanted("GET", path), objects.admin).status_code == 404


def test_section_4_a_missing_file_is_404_on_both_routes(objects: Objects):
    for path in ("fs/download?path=/workspace/none", "files/workspace/none"):
        assert raw(objects, "GET", f"/api/v1/sandboxes/{objects.ids['key']}/{path}").status_code == 404


def test_section_5_lists_of_things_stand_under_data(objects: Objects):
    sandbox = f"/sandboxes/{objects.ids['key']}"
    for path in (
        "/sandboxes",
        "/api-keys",
        f"{sandbox}/snapshots",
        f"{sandbox}/previews",
        f"{sandbox}/processes",
        "/egress/oauth/providers",
    ):
        assert isinstance(get(objects, path)["data"], list), path


def test_section_5_every_id_is_text():
    for name, schema in ANSWERS.items():
        for field, told in schema.get("properties", {}).items():
            if field == "id" or field.endswith("_id"):
                kinds = {told.get("type"), *(one.get("type") for one in told.get("anyOf", ()))} - {None, "null"}
                assert kinds == {"string"} or told == {"type": "null"}, f"{name}.{field}"


def test_section_5_every_time_is_text_with_0_3_or_6_digits():
    for name, schema in ANSWERS.items():
        if schema.get("additionalProperties") is True:
            continue  # a body
        for field, told in schema.get("properties", {}).items():
            if field.endswith("_at") or field in ("timestamp", "first_seen", "last_seen"):
                one = next((one for one in told.get("anyOf", [told]) if one.get("type") != "null"), {})
                assert r"(\.\d{3}(\d{3})?)?Z$" in one.get("pattern", ""), f"{name}.{field}"


def test_section_5_numbers_of_the_sandbox_are_whole():
    for field, told in ANSWERS["Sandbox"]["properties"].items():
        assert "number" not in {told.get("type"), *(one.get("type") for one in told.get("anyOf", ()))}, field


def test_section_5_metadata_of_a_computer_is_text(objects: Objects):
    made = objects.made("POST", "/sandboxes", {"metadata": {"number": 7, "nested": {"a": 1}}})
    metadata = get(objects, f"/computers/{made['id']}")["metadata"]
    assert metadata["number"] == "7"
    assert all(isinstance(value, str) for value in metadata.values())


def test_section_5_success_is_json_or_nothing():
    binary = {
        "application/octet-stream",
        "text/event-stream",
        "application/x-ndjson",
        "text/csv",
        "text/html",
        "text/plain",
        "application/gzip",
    }
    for told in OPERATIONS:
        for status, answer in told["responses"].items():
            if status.startswith("2"):
                kinds = set(answer.get("content", {}))
                assert status == "204" or kinds == {"application/json"} or kinds <= binary, told["operationId"]


def test_the_base_url_that_is_written_down_ends_without_a_slash(objects: Objects):
    assert DOCUMENT["servers"][0]["url"] == "/api/v1"
    assert urlsplit(objects.world.system.base_url).path == ""
