"""Idempotency-Key: a repeat gets the first answer, and the deed is done once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openmiosa_server.db import now
from openmiosa_server.db.tables import idempotency, sandboxes
from sqlalchemy import select, update

from .conftest import Api

pytestmark = pytest.mark.anyio

SECRET = {"name": "openai_key", "value": "sk-proj-0123456789abcdefghijklmnopqrst", "scope": "tenant"}


async def test_a_repeat_gets_the_same_answer_and_makes_nothing_new(api: Api) -> None:
    first, again = [await api.client.post("/egress/allowlist", json={"host": "a.example"}, headers={"Idempotency-Key": "k1"}) for _ in "12"]
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"


async def test_the_same_key_for_another_request_is_refused(api: Api) -> None:
    await api.client.post("/egress/secrets", json=SECRET, headers={"Idempotency-Key": "k2"})
    other = await api.client.post(
        "/egress/secrets", json={**SECRET, "value": "another-value-1234567890"}, headers={"Idempotency-Key": "k2"}
    )
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_two_at_once_are_one(api: Api) -> None:
    answers = await asyncio.gather(
        *(api.client.post("/egress/policies", json={"name": "p"}, headers={"Idempotency-Key": "k3"}) for _ in range(5))
    )
    assert {answer.json()["data"]["id"] for answer in answers} == {answers[0].json()["data"]["id"]}


async def test_a_new_api_key_is_never_stored_for_a_repeat(api: Api) -> None:
    first = await api.client.post("/api-keys", json={"name": "ci"}, headers={"Idempotency-Key": "k4"})
    again = await api.client.post("/api-keys", json={"name": "ci"}, headers={"Idempotency-Key": "k4"})
    token = first.json()["data"]["token"]
    assert (again.status_code, again.json()["code"]) == (409, "ANSWER_SHOWN_ONCE")
    state = (api.system.database.url.removeprefix("sqlite+aiosqlite:///"),)
    stored = b"".join(path.read_bytes() for path in Path(state[0]).parent.glob("openmiosa.db*"))
    assert token.encode() not in stored


async def test_a_failure_of_ours_may_be_tried_again_with_the_same_key(api: Api) -> None:
    first, again = [await api.client.post("/sandboxes", json={"name": "agent"}, headers={"Idempotency-Key": "k5"}) for _ in "12"]
    assert first.status_code == again.status_code == 503
    assert "idempotency-replayed" not in again.headers


async def test_a_refusal_is_an_answer_and_is_repeated(api: Api) -> None:
    first, again = [await api.client.post("/egress/secrets", json={}, headers={"Idempotency-Key": "k6"}) for _ in "12"]
    assert first.status_code == again.status_code == 422
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_refusal_that_will_pass_is_not_the_answer_for_a_day(api: Api) -> None:
    await api.client.post("/sandboxes", json={"name": "agent"})
    async with api.system.database.begin() as tx:
        await tx.execute(update(sandboxes).values(state="provisioning", destroyed_at=None))
    first, again = [await api.client.post("/sandboxes/agent/exec", json={"command": "id"}, headers={"Idempotency-Key": "k7"}) for _ in "12"]
    assert (first.status_code, first.json()["error"]["code"], first.json()["error"]["retry"]) == (409, "SANDBOX_STARTING", True)
    assert "idempotency-replayed" not in again.headers


async def test_the_limit_of_a_body_holds_with_an_idempotency_key_too(api: Api) -> None:
    given = {"name": "n", "value": "v", "metadata": {"filler": "x" * 2**20}}
    answer = await api.client.post("/egress/secrets", json=given, headers={"Idempotency-Key": "large-1"})
    assert answer.status_code == 413


async def test_a_remembered_answer_is_not_readable_in_the_database(api: Api, tmp_path: Path) -> None:
    first = await api.client.post("/egress/secrets", json=SECRET, headers={"Idempotency-Key": "sealed-1"})
    again = await api.client.post("/egress/secrets", json=SECRET, headers={"Idempotency-Key": "sealed-1"})
    assert again.json() == first.json()
    async with api.system.database.read() as tx:
        (kept,) = (await tx.execute(select(idempotency.c.body))).scalars()
    assert b"openai_key" not in kept


MUTATIONS = (
    (
        "POST",
        "/egress/secrets",
        {"name": "s", "value": "v" * 24, "allowed_hosts": ["api.example.com"], "scope": "tenant"},
        "/egress/secrets",
    ),
    ("POST", "/egress/allowlist", {"host": "api.example.com"}, "/egress/allowlist"),
    ("POST", "/egress/policies", {"name": "p"}, "/egress/policies"),
    ("POST", "/api-keys/presets", {"name": "p", "scopes": ["audit:read"]}, "/api-keys/presets"),
)


@pytest.mark.parametrize(("method", "path", "body", "listed"), MUTATIONS, ids=[path for _, path, _, _ in MUTATIONS])
async def test_a_repeat_of_any_change_does_nothing(api: Api, method: str, path: str, body: dict[str, Any], listed: str) -> None:
    headers = {"Idempotency-Key": f"once-{path}"}
    first = await api.client.request(method, path, json=body, headers=headers)
    after = (await api.client.get(listed)).text
    again = await api.client.request(method, path, json=body, headers=headers)
    assert (first.status_code, again.headers["Idempotency-Replayed"]) == (201, "true"), first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (await api.client.get(listed)).text == after


@pytest.mark.parametrize(("method", "path", "body", "listed"), MUTATIONS[:2], ids=["secret", "rule"])
async def test_an_equal_repeat_without_a_key_is_tolerated(api: Api, method: str, path: str, body: dict[str, Any], listed: str) -> None:
    first, again = [await api.client.request(method, path, json=body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["data"]["id"] == again.json()["data"]["id"]


@pytest.mark.parametrize(("hours", "status"), [(23, 422), (25, 201)])
async def test_an_answer_is_remembered_for_a_day(api: Api, hours: int, status: int) -> None:
    headers = {"Idempotency-Key": "yesterday"}
    body = {"host": "api.example.com"}
    assert (await api.client.post("/egress/allowlist", json=body, headers=headers)).status_code == 201
    async with api.system.database.begin() as tx:
        await tx.execute(update(idempotency).values(created_at=now() - timedelta(hours=hours)))
    # Within the day the key belongs to that request; after it, to whichever comes next.
    other = await api.client.post("/egress/allowlist", json={"host": "other.example.com"}, headers=headers)
    assert other.status_code == status
