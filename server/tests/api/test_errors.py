"""Bad input gets a clear error and loses nothing."""

import json

import pytest

from .conftest import Api

pytestmark = pytest.mark.anyio

SECRET = {"name": "openai_key", "value": "sk-proj-0123456789abcdefghijklmnopqrst", "scope": "tenant"}


async def test_an_error_is_readable_by_all_three_published_clients(api: Api) -> None:
    answer = await api.client.get("/sandboxes/none")
    body = answer.json()
    assert answer.status_code == 404
    assert body["error"]["code"] == body["code"] == "NOT_FOUND"
    assert body["error"]["message"] == body["message"]
    assert body["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{not json", 400, "INVALID_JSON"),
        (b"[]", 400, "INVALID_JSON"),
        (b'"text"', 400, "INVALID_JSON"),
        (b'{"name": "a", "name": "b"}', 400, "INVALID_JSON"),
        (b'{"name": NaN}', 400, "INVALID_JSON"),
        (b'{"name": "x", "metadata": {"n": -1e999}}', 400, "INVALID_JSON"),
        (b'{"name": "x", "metadata": {"n": 1' + b"0" * 5000 + b"}}", 400, "INVALID_JSON"),
        (b"\xff\xfe{}", 400, "INVALID_JSON"),
        (b'{"name": "\\ud800"}', 400, "INVALID_JSON"),
        (b'{"name": "a\\u0000b"}', 400, "INVALID_JSON"),
        (b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "INVALID_JSON"),
        (json.dumps({**SECRET, "value": "x" * 2**20}).encode(), 413, "TOO_LARGE"),
        (json.dumps({**SECRET, "name": "n" * 2**19}).encode(), 422, "BAD_NAME"),
        (json.dumps({**SECRET, "value": ""}).encode(), 422, "BAD_VALUE"),
        (json.dumps({**SECRET, "value": "x" * 70 * 1024}).encode(), None, None),
        (json.dumps({**SECRET, "expose_as_env": "1BAD NAME"}).encode(), 422, "BAD_ENV"),
        (json.dumps({**SECRET, "alowed_hosts": ["a.example"]}).encode(), 422, "UNKNOWN_FIELD"),
        (json.dumps({**SECRET, "allowed_hosts": ["https://a.example/"]}).encode(), 422, "BAD_HOST"),
        (json.dumps({**SECRET, "allowed_hosts": "a.example"}).encode(), 422, "VALIDATION_ERROR"),
        (json.dumps({"name": "no_value", "scope": "tenant"}).encode(), 422, "BAD_VALUE"),
        (json.dumps({"value": "x"}).encode(), 422, "VALIDATION_ERROR"),
    ],
)
async def test_a_bad_body_of_a_secret_is_refused_with_its_reason(api: Api, content: bytes, status: int | None, code: str | None) -> None:
    answer = await api.client.post("/egress/secrets", content=content)
    if status is None:
        assert 400 <= answer.status_code < 500
    else:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["message"]
    assert (await api.client.get("/egress/secrets")).json() == {"secrets": []}


async def test_a_text_that_quotes_json_with_an_escaped_nul_is_no_nul(api: Api) -> None:
    answer = await api.client.post("/egress/secrets", json={**SECRET, "value": '{"send": "\\u0000"}'})
    assert answer.status_code == 201, answer.text


async def test_a_refused_value_is_not_echoed(api: Api) -> None:
    answer = await api.client.post("/egress/secrets", json={"name": "a", "value": ["sk-proj-hidden-0123456789"], "scope": "tenant"})
    assert answer.status_code == 422
    assert "hidden" not in answer.text


async def test_an_unknown_field_that_resembles_nothing_is_ignored(api: Api) -> None:
    answer = await api.client.post("/egress/secrets", json={**SECRET, "from_the_future": 1})
    assert answer.status_code == 201


async def test_a_host_rule_that_is_no_host_is_refused(api: Api) -> None:
    answer = await api.client.post("/egress/allowlist", json={"host": "not a host/at all"})
    assert answer.status_code == 422
    assert answer.json()["message"]


async def test_an_id_of_another_tenant_is_not_found(api: Api) -> None:
    answer = await api.client.get("/egress/secrets/sec_01m86kt7a86vt1acf9adt3h0tv")
    assert answer.status_code == 404


async def test_a_missing_key_is_401_and_says_how_to_send_one(api: Api) -> None:
    answer = await api.client.get("/whoami", headers={"Authorization": ""})
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.json()["message"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_in_the_url_is_not_read(api: Api) -> None:
    answer = await api.client.get("/whoami", params={"token": api.key, "api_key": api.key}, headers={"Authorization": ""})
    assert answer.status_code == 401


async def test_a_key_without_the_scope_is_told_which_one(api: Api) -> None:
    narrow = await api.tenant_key("audit:read")
    answer = await api.client.post("/egress/secrets", json=SECRET, headers=api.as_key(narrow))
    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert answer.json()["error"]["details"] == {"required": "secrets:write"}


async def test_two_slashes_are_one(api: Api) -> None:
    answer = await api.client.get(f"{api.root}/api/v1//sandboxes")
    assert (answer.status_code, answer.json()) == (200, {"data": [], "next_cursor": None})


async def test_an_unknown_route_says_so(api: Api) -> None:
    answer = await api.client.get("/nothing/here")
    assert (answer.status_code, answer.json()["code"]) == (404, "NO_ROUTE")


async def test_a_wrong_method_is_405(api: Api) -> None:
    answer = await api.client.put("/whoami")
    assert (answer.status_code, answer.json()["code"]) == (405, "METHOD_NOT_ALLOWED")


async def test_without_a_runtime_creation_says_which_part_is_away_and_that_a_retry_helps(api: Api) -> None:
    answer = await api.client.post("/sandboxes", json={"name": "agent"})
    assert (answer.status_code, answer.json()["code"]) == (503, "RUNTIME_UNAVAILABLE")
    assert answer.json()["error"]["retry"] is True
    assert (await api.client.get("/sandboxes/by-name/agent")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "n" * 2**19},
        {"name": "sbx_pretender"},
        {"name": "line\nbreak"},
        {"size": "huge"},
        {"cpu_count": 0},
        {"memory_mb": 1},
        {"env": {"1BAD": "x"}},
        {"env": ["PATH"]},
        {"timeout_sec": -1},
        {"idle_timout_sec": 10},
    ],
)
async def test_a_sandbox_that_cannot_be_is_refused_before_anything_is_made(api: Api, body: dict[str, object]) -> None:
    answer = await api.client.post("/sandboxes", json=body)
    assert answer.status_code == 422, answer.text
    assert (await api.client.get("/sandboxes", params={"state": "error"})).json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("owner", ["owner_user_id", "workspace_id", "external_workspace_id"])
async def test_an_external_users_key_makes_no_sandbox_that_gets_the_secrets_of_others(api: Api, owner: str) -> None:
    made = await api.client.post("/api-keys/scoped", json={"external_user_id": "u1"})
    key = api.as_key(made.json()["data"]["token"])
    answer = await api.client.post("/sandboxes", json={"name": "agent", owner: "somebody"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_an_unknown_template_names_those_there_are(api: Api) -> None:
    answer = await api.client.post("/sandboxes", json={"template_id": "../../etc"})
    assert (answer.status_code, answer.json()["code"]) == (404, "TEMPLATE_NOT_FOUND")


async def test_a_given_request_id_is_kept_and_a_strange_one_replaced(api: Api) -> None:
    kept = await api.client.get("/whoami", headers={"X-Request-Id": "req-from-a-caller-1"})
    replaced = await api.client.get("/whoami", headers={"X-Request-Id": "a b\tc"})
    assert kept.headers["x-request-id"] == "req-from-a-caller-1"
    assert replaced.headers["x-request-id"].startswith("req_")


async def test_a_method_that_is_not_offered_is_answered_with_those_that_are(api: Api) -> None:
    answer = await api.client.put("/api-keys", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.json()["message"] == "PUT is not offered here; this path takes GET and POST"
