"""The shapes of wire.md 5 and 19, over real HTTP, as far as they need no running sandbox."""

import asyncio
import json
import re

import pytest
from openmiosa_server.db import new_id
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from .conftest import Api

pytestmark = pytest.mark.anyio

SECRET = {"name": "openai_key", "value": "sk-proj-0123456789abcdefghijklmnopqrst", "scope": "tenant", "expose_as_env": "OPENAI_API_KEY"}


async def test_a_secret_is_described_and_never_shown(api: Api) -> None:
    made = await api.client.post("/egress/secrets", json=SECRET)
    body = made.json()
    assert made.status_code == 201
    assert set(body) == {"data", "binding"}
    assert body["data"]["bound_hosts"] == ["api.openai.com"]
    assert SECRET["value"] not in made.text
    assert (await api.client.get("/egress/secrets/openai_key")).json()["data"]["id"] == body["data"]["id"]


async def test_egress_lists_stand_under_their_own_names(api: Api) -> None:
    for path, name in (
        ("secrets", "secrets"),
        ("bindings", "bindings"),
        ("allowlist", "rules"),
        ("policies", "policies"),
        ("audit", "events"),
    ):
        body = (await api.client.get(f"/egress/{path}")).json()
        assert name in body, path
        assert "data" not in body, path
    assert (await api.client.get("/egress/audit/suggestions")).json() == {"suggestions": []}
    assert (await api.client.get("/egress/pending")).json() == {"pending": []}


async def test_a_secret_is_rotated_and_deleted_by_name(api: Api) -> None:
    await api.client.post("/egress/secrets", json=SECRET)
    rotated = await api.client.patch("/egress/secrets/openai_key", json={"value": "sk-proj-zyxwvutsrqponmlkjihgfedcba98"})
    assert rotated.json()["data"]["version"] == 2
    deleted = await api.client.delete("/egress/secrets/openai_key")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await api.client.get("/egress/secrets/openai_key")).status_code == 404


async def test_rules_are_added_listed_and_removed(api: Api) -> None:
    added = await api.client.post("/egress/allowlist", json={"host": "API.Example.com", "effect": "allow", "methods": ["GET"]})
    rule = added.json()["data"]
    assert (added.status_code, rule["host"]) == (201, "api.example.com")
    assert [found["id"] for found in (await api.client.get("/egress/allowlist")).json()["rules"]] == [rule["id"]]
    assert (await api.client.delete(f"/egress/allowlist/{rule['id']}")).status_code == 204


async def test_a_policy_is_patched_with_and_without_an_id(api: Api) -> None:
    default = (await api.client.patch("/egress/policies", json={"mode": "audit_only"})).json()["data"]
    enforced = (await api.client.patch(f"/egress/policies/{default['id']}", json={"mode": "enforce"})).json()["data"]
    assert (enforced["id"], enforced["mode"]) == (default["id"], "enforce")


async def test_keys_show_their_token_once(api: Api) -> None:
    made = (await api.client.post("/api-keys", json={"name": "ci", "scopes": ["audit:read"]})).json()["data"]
    assert made["token"] == made["key"]
    assert made["token"].startswith("msk_live_")
    listed = (await api.client.get("/api-keys")).json()["data"]
    assert [key["name"] for key in listed] == ["admin", "ci"]
    assert all("token" not in key for key in listed)
    assert (await api.client.delete(f"/api-keys/{made['id']}")).status_code == 204
    assert (await api.client.get("/whoami", headers=api.as_key(made["token"]))).status_code == 401


async def test_times_have_six_digits_that_old_pythons_read(api: Api) -> None:
    made = (await api.client.post("/egress/secrets", json=SECRET)).json()["data"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", made["created_at"])


async def test_answers_are_ascii(api: Api) -> None:
    made = await api.client.post("/egress/secrets", json={**SECRET, "metadata": {"note": "one\u2028two"}})
    assert made.content.isascii()
    assert made.json()["data"]["metadata"] == {"note": "one\u2028two"}


async def test_the_administrative_log_lists_what_was_done(api: Api) -> None:
    await api.client.post("/egress/secrets", json=SECRET)
    body = (await api.client.get("/audit-log", params={"action": "vault:secret:set"})).json()
    assert [entry["outcome"] for entry in body["data"]] == ["allowed"]
    assert body["data"][0]["request_id"].startswith("req_")


async def test_health_needs_no_key_and_readiness_names_what_is_missing(api: Api) -> None:
    alive = await api.client.get(f"{api.root}/healthz", headers={"Authorization": ""})
    ready = await api.client.get(f"{api.root}/readyz", headers={"Authorization": ""})
    assert alive.json() == {"status": "ok"}
    assert ready.status_code == 503
    assert set(ready.json()["checks"]) == {"vault", "egress", "runtime"}


async def test_metrics_count_by_route_and_not_by_name(api: Api) -> None:
    await api.client.get("/egress/secrets/some-name-of-a-tenant")
    text = (await api.client.get(f"{api.root}/metrics")).text
    assert "openmiosa_http_requests_total" in text
    assert "some-name-of-a-tenant" not in text


async def test_an_export_is_a_file(api: Api) -> None:
    answer = await api.client.get("/egress/audit/export", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("id,number,timestamp")


async def test_previews_are_refused_plainly(api: Api) -> None:
    answer = await api.client.post("/sandboxes/none/expose", json={"port": 8000})
    assert answer.status_code == 404


async def test_the_audit_socket_refuses_without_a_key_and_for_unknown_sandboxes(api: Api) -> None:
    url = api.root.replace("http", "ws") + "/api/v1/egress/audit/resource/none"
    for headers, status in (({}, 401), (api.as_key(api.key), 404)):
        with pytest.raises(InvalidStatus) as refused:
            await open_socket(url, additional_headers=headers)
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body)["error"]["code"]


async def test_a_tail_opens_at_once_and_ends_when_its_key_is_deleted(api: Api) -> None:
    made = (await api.client.post("/api-keys", json={"name": "tail", "scopes": ["audit:read"]})).json()["data"]
    async with api.client.stream("GET", "/events/stream", headers=api.as_key(made["token"])) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == ": open"
        await api.client.delete(f"/api-keys/{made['id']}")
        async with asyncio.timeout(5):  # at once, and not at the next look at the key
            assert [line async for line in lines if line] == []


async def test_ids_of_nothing_are_not_found_everywhere(api: Api) -> None:
    for path in (
        f"/sandboxes/{new_id('sbx')}",
        f"/egress/audit/{new_id('evt')}",
        f"/egress/policies/{new_id('pol')}",
        "/egress/bindings/x",
    ):
        answer = await api.client.request("DELETE" if "bindings" in path else "GET", path)
        assert answer.status_code == 404, path


async def test_the_document_of_the_api_is_served_without_a_key(api: Api) -> None:
    answer = await api.client.get("/openapi.json", headers={"Authorization": ""})
    document = answer.json()
    assert (answer.status_code, document["openapi"], document["servers"][0]["url"]) == (200, "3.1.0", "/api/v1")
    assert document["paths"]["/sandboxes"]["post"]["operationId"] == "sandboxes.create"


async def test_keys_come_in_pages_that_end_with_a_null_cursor(api: Api) -> None:
    for name in ("one", "two"):
        await api.client.post("/api-keys", json={"name": name, "scopes": ["audit:read"]})
    first = (await api.client.get("/api-keys", params={"limit": 2})).json()
    await api.client.delete(f"/api-keys/{first['next_cursor']}")  # what is gone still says where the next page begins
    second = (await api.client.get("/api-keys", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [key["name"] for key in first["data"] + second["data"]] == ["admin", "one", "two"]
    assert second["next_cursor"] is None


async def test_a_cursor_of_nothing_is_not_found(api: Api) -> None:
    for path in ("/api-keys", "/sandboxes"):
        answer = await api.client.get(path, params={"cursor": "none"})
        assert answer.status_code == 404
        assert "next_cursor of the page before" in answer.json()["message"]
