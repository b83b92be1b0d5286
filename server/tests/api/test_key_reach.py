"""What a key cannot do to other keys: get more than it has, or live longer than it was given."""

import asyncio
from typing import Any

import pytest
from openmiosa_server.errors import Unauthenticated

from .conftest import Api

pytestmark = pytest.mark.anyio

SOON, LATER = "2998-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


async def refusal(api: Api, token: str, method: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
    """How a call with that key is refused."""
    answer = await api.client.request(method, path, json=body, headers=api.as_key(token))
    return answer.status_code, str(answer.json().get("code"))


async def token_for(api: Api, user: str, *scopes: str) -> dict[str, Any]:
    """A short-lived token of one user."""
    answer = await api.client.post("/tokens/scoped", json={"user_id": user, "scopes": list(scopes), "expires_in_seconds": 60})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_key_that_makes_keys_cannot_rotate_a_stronger_one_into_its_own_hands(api: Api) -> None:
    narrow = await api.tenant_key("keys:write")
    assert await refusal(api, narrow, "POST", "/api-keys/admin/rotate", {"overlap_seconds": 600}) == (403, "INSUFFICIENT_SCOPE")
    assert (await api.client.get("/whoami")).status_code == 200


async def test_a_users_token_cannot_rotate_a_stronger_key_of_that_user(api: Api) -> None:
    await api.client.post("/api-keys/scoped", json={"external_user_id": "u1", "name": "backend"})
    token = await token_for(api, "u1", "keys:write")
    assert await refusal(api, token["token"], "POST", "/api-keys/backend/rotate", {}) == (403, "INSUFFICIENT_SCOPE")


async def test_a_key_cannot_change_a_stronger_one(api: Api) -> None:
    narrow = await api.tenant_key("keys:write")
    assert await refusal(api, narrow, "PATCH", "/api-keys/admin", {"scopes": ["keys:write"]}) == (403, "INSUFFICIENT_SCOPE")


async def test_a_key_rotates_itself_and_those_that_have_no_more(api: Api) -> None:
    narrow = await api.tenant_key("keys:write", "audit:read")
    await api.client.post("/api-keys", json={"name": "weaker", "scopes": ["audit:read"]})
    for name in ("weaker", "narrow"):
        answer = await api.client.post(f"/api-keys/{name}/rotate", headers=api.as_key(narrow))
        assert answer.status_code == 200, answer.text


async def test_a_token_cannot_lengthen_its_own_life(api: Api) -> None:
    token = await token_for(api, "u1", "keys:write")
    assert await refusal(api, token["token"], "PATCH", f"/api-keys/{token['id']}", {"expires_at": LATER}) == (422, "BAD_EXPIRY")


async def test_no_change_lets_a_key_outlive_the_one_that_made_it(api: Api) -> None:
    parent = (await api.client.post("/api-keys", json={"name": "parent", "expires_at": SOON})).json()["data"]
    await api.client.post("/api-keys", json={"name": "child"}, headers=api.as_key(parent["token"]))
    assert await refusal(api, api.key, "PATCH", "/api-keys/child", {"expires_at": LATER}) == (422, "BAD_EXPIRY")


async def test_a_key_saves_no_preset_with_scopes_that_it_lacks(api: Api) -> None:
    await api.client.post("/api-keys/presets", json={"name": "ci", "scopes": ["audit:read"]})
    narrow = await api.tenant_key("keys:write")
    body = {"name": "ci", "scopes": ["audit:read", "secrets:write"]}
    assert await refusal(api, narrow, "POST", "/api-keys/presets", body) == (403, "INSUFFICIENT_SCOPE")


async def test_a_call_that_was_under_way_when_its_key_was_revoked_leaves_no_key_behind(api: Api) -> None:
    identity = api.system.services.identity
    holder = await identity.authenticate(await api.tenant_key("keys:write"))
    await api.client.delete("/api-keys/narrow")
    with pytest.raises(Unauthenticated):
        await identity.create_key(holder, "for later")


async def test_keys_made_while_their_maker_is_revoked_are_gone_with_it(api: Api) -> None:
    token = await api.tenant_key("keys:write")
    making = [api.client.post("/api-keys", json={"name": f"k{n}"}, headers=api.as_key(token)) for n in range(8)]
    await asyncio.gather(*making, api.client.delete("/api-keys/narrow"))
    assert [key["name"] for key in (await api.client.get("/api-keys")).json()["data"]] == ["admin"]


async def test_a_ticket_opens_nothing_once_the_text_is_rotated_away_that_got_it(api: Api) -> None:
    token = await api.tenant_key("audit:read")
    ticket = (await api.client.post("/sse/ticket", headers=api.as_key(token))).json()["ticket"]
    await api.client.post("/api-keys/narrow/rotate")
    with pytest.raises(Unauthenticated):
        await api.system.services.identity.authenticate_ticket(ticket)


async def test_a_stream_that_a_ticket_opened_ends_with_the_overlap_of_the_text_that_got_it(api: Api) -> None:
    identity = api.system.services.identity
    token = await api.tenant_key("audit:read")
    await api.client.post("/api-keys/narrow/rotate", json={"overlap_seconds": 2})
    ticket = (await api.client.post("/sse/ticket", headers=api.as_key(token))).json()["ticket"]
    holder = await identity.authenticate_ticket(ticket)
    await asyncio.wait_for(identity.until_invalid(holder, look_every=0.1), 10)


async def test_a_number_that_no_answer_can_hold_is_refused_before_it_breaks_every_list(api: Api) -> None:
    token = await token_for(api, "u1", "keys:write")
    body = b'{"name": "x", "external_user_id": "u1", "metadata": {"n": 1e999}}'
    answer = await api.client.post("/api-keys", content=body, headers=api.as_key(token["token"]))
    assert (await api.client.get("/api-keys")).status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_JSON")
