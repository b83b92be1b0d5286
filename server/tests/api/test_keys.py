"""Keys over HTTP: what they may be, what becomes of them, and what stands in for one."""

import json
from typing import Any

import httpx2
import pytest

from .conftest import Api

pytestmark = pytest.mark.anyio


async def made(api: Api, name: str = "ci", **given: Any) -> dict[str, Any]:
    """A key, with its text."""
    answer = await api.client.post("/api-keys", json={"name": name, **given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def works(api: Api, token: str) -> bool:
    """Whether a key is good."""
    answer = await api.client.get("/whoami", headers=api.as_key(token))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def test_a_rotated_key_keeps_its_id_and_its_old_text_ends(api: Api) -> None:
    key = await made(api)
    rotated = (await api.client.post(f"/api-keys/{key['id']}/rotate")).json()["data"]
    assert (rotated["id"], rotated["key"]) == (key["id"], rotated["token"])
    assert [await works(api, token) for token in (key["token"], rotated["token"])] == [False, True]


async def test_an_overlap_keeps_the_old_text_good_for_a_while(api: Api) -> None:
    key = await made(api)
    rotated = (await api.client.post("/api-keys/ci/rotate", json={"overlap_seconds": 600})).json()["data"]
    assert [await works(api, token) for token in (key["token"], rotated["token"])] == [True, True]
    await api.client.post("/api-keys/ci/rotate")
    assert [await works(api, token) for token in (key["token"], rotated["token"])] == [False, False]


async def test_a_key_is_changed(api: Api) -> None:
    key = await made(api, scopes=["audit:read", "keys:read"])
    change = {"name": "build", "scopes": ["audit:read"], "description": "of the build", "metadata": {"team": "infra"}}
    changed = (await api.client.patch(f"/api-keys/{key['id']}", json=change)).json()["data"]
    assert {name: changed[name] for name in change} == change
    assert (await api.client.get("/api-keys", headers=api.as_key(key["token"]))).status_code == 403


async def test_a_key_gets_no_scope_by_a_change_that_its_changer_lacks(api: Api) -> None:
    narrow = await api.tenant_key("keys:write", "audit:read")
    key = await made(api, scopes=["audit:read"])
    answer = await api.client.patch(f"/api-keys/{key['id']}", json={"scopes": ["secrets:write"]}, headers=api.as_key(narrow))
    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_SCOPE")


async def test_a_key_is_good_from_its_addresses_alone(api: Api) -> None:
    key = await made(api, ip_allowlist=["192.0.2.0/24"])
    refused = await api.client.get("/whoami", headers=api.as_key(key["token"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "IP_NOT_ALLOWED")
    await api.client.patch(f"/api-keys/{key['id']}", json={"ip_allowlist": ["192.0.2.0/24", "127.0.0.1"]})
    assert await works(api, key["token"])


async def test_what_is_no_network_is_refused(api: Api) -> None:
    answer = await api.client.post("/api-keys", json={"name": "x", "ip_allowlist": ["the office"]})
    assert (answer.status_code, answer.json()["error"]["details"]) == (422, {"field": "ip_allowlist"})


async def test_keys_end_with_the_key_that_made_them(api: Api) -> None:
    parent = await made(api, "parent")
    child = (await api.client.post("/api-keys", json={"name": "child"}, headers=api.as_key(parent["token"]))).json()["data"]
    grandchild = (await api.client.post("/api-keys", json={"name": "g"}, headers=api.as_key(child["token"]))).json()["data"]
    assert child["parent_id"] == parent["id"]
    await api.client.delete(f"/api-keys/{parent['id']}")
    assert [await works(api, key["token"]) for key in (parent, child, grandchild)] == [False, False, False]


async def test_keys_live_on_when_that_is_asked_for(api: Api) -> None:
    parent = await made(api, "parent")
    child = (await api.client.post("/api-keys", json={"name": "child"}, headers=api.as_key(parent["token"]))).json()["data"]
    assert (await api.client.delete(f"/api-keys/{parent['id']}?keep_children=true")).status_code == 204
    assert [await works(api, key["token"]) for key in (parent, child)] == [False, True]


async def test_nobody_locks_everybody_out_by_revoking_the_first_key(api: Api) -> None:
    successor = await made(api, "successor")
    answer = await api.client.delete("/api-keys/admin", headers=api.as_key(successor["token"]))
    assert (answer.status_code, answer.json()["code"]) == (409, "LAST_ADMIN_KEY")
    assert (await api.client.delete("/api-keys/admin?keep_children=true", headers=api.as_key(successor["token"]))).status_code == 204
    assert [await works(api, token) for token in (api.key, successor["token"])] == [False, True]


async def test_a_key_lives_no_longer_than_the_one_that_made_it(api: Api) -> None:
    parent = await made(api, "parent", expires_at="2999-01-01T00:00:00Z")
    child = (await api.client.post("/api-keys", json={"name": "child"}, headers=api.as_key(parent["token"]))).json()["data"]
    assert child["expires_at"] == parent["expires_at"]
    await api.client.patch(f"/api-keys/{parent['id']}", json={"expires_at": "2998-01-01T00:00:00Z"})
    assert (await api.client.get(f"/api-keys/{child['id']}")).json()["data"]["expires_at"].startswith("2998-01-01T")


async def test_what_a_key_did_and_what_was_done_to_it_is_told(api: Api) -> None:
    key = await made(api)
    await api.client.get("/api-keys", headers=api.as_key(key["token"]))
    await api.client.patch(f"/api-keys/{key['id']}", json={"description": "x"})
    told = (await api.client.get(f"/api-keys/{key['id']}/events")).json()["data"]
    assert [entry["type"] for entry in told][1:] == ["identity:key:update", "identity:key:list"]
    only = (await api.client.get(f"/api-keys/{key['id']}/events", params={"type": "identity.key.up*", "limit": 5})).json()["data"]
    assert [entry["action"] for entry in only] == ["identity:key:update"]


async def test_presets_are_saved_replaced_listed_and_deleted(api: Api) -> None:
    for scopes in (["audit:read"], ["audit:read", "network:read"]):
        saved = await api.client.post("/api-keys/presets", json={"name": "watch", "scopes": scopes, "description": "looks on"})
    assert (saved.status_code, saved.json()["data"]["scopes"]) == (201, ["audit:read", "network:read"])
    names = {preset["name"]: preset["builtin"] for preset in (await api.client.get("/api-keys/presets")).json()["data"]}
    assert names == {"admin": True, "read_only": True, "runner": True, "auditor": True, "watch": False}
    assert (await api.client.delete("/api-keys/presets/watch")).status_code == 204
    assert (await api.client.delete("/api-keys/presets/watch")).status_code == 404


async def test_a_built_in_preset_stays_as_it_is(api: Api) -> None:
    saved = await api.client.post("/api-keys/presets", json={"name": "admin", "scopes": ["audit:read"]})
    assert (saved.status_code, saved.json()["code"]) == (409, "NAME_TAKEN")
    assert (await api.client.delete("/api-keys/presets/admin")).status_code == 409


async def test_a_token_is_for_one_user_short_lived_and_in_no_list(api: Api) -> None:
    wanted = {"user_id": "u1", "workspace_id": "w1", "expires_in_seconds": 60, "scopes": ["sandboxes:read"]}
    answer = await api.client.post("/tokens/scoped", json=wanted)
    token = answer.json()
    assert (answer.status_code, token["scopes"], token["user_id"]) == (201, ["sandboxes:read"], "u1")
    me = (await api.client.get("/whoami", headers=api.as_key(token["token"]))).json()["data"]
    assert (me["external_user_id"], me["scopes"]) == ("u1", ["sandboxes:read"])
    assert [key["name"] for key in (await api.client.get("/api-keys")).json()["data"]] == ["admin"]


async def test_a_token_ends_with_the_key_that_made_it(api: Api) -> None:
    parent = await made(api)
    headers = api.as_key(parent["token"])
    token = (await api.client.post("/tokens/scoped", json={"user_id": "u1", "workspace_id": "w1"}, headers=headers)).json()["token"]
    assert await works(api, token)
    await api.client.delete("/api-keys/ci")
    assert not await works(api, token)


@pytest.mark.parametrize("more", [{"expires_in_seconds": 86401}, {"expires_in_seconds": 0}, {"user_id": ""}])
async def test_a_token_has_its_bounds(api: Api, more: dict[str, Any]) -> None:
    answer = await api.client.post("/tokens/scoped", json={"user_id": "u1", "workspace_id": "w1", **more})
    assert answer.status_code == 422


async def test_the_log_is_counted_paged_and_narrowed(api: Api) -> None:
    for number in range(5):
        await made(api, f"key {number}")
    only = {"type": "identity.key.*", "action": "identity:key:create"}
    pages = [(await api.client.get("/audit-log", params={**only, "page": page, "per_page": 2})).json() for page in (1, 2, 3)]
    assert [page["meta"] for page in pages] == [{"total": 6, "page": number, "per_page": 2} for number in (1, 2, 3)]
    seen = [entry["id"] for page in pages for entry in page["data"]]
    assert len(set(seen)) == 6
    after = (await api.client.get("/audit-log", params={**only, "after": seen[3]})).json()
    assert [entry["id"] for entry in after["data"]] == seen[4:]


async def opened(api: Api, ticket: str, path: str = "/events/stream") -> int:
    """The status of a stream that is opened with a ticket."""
    async with (
        httpx2.AsyncClient(base_url=f"{api.root}/api/v1", timeout=10) as nobody,
        nobody.stream("GET", path, params={"ticket": ticket}) as stream,
    ):
        return stream.status_code


@pytest.mark.parametrize("path", ["/sse/ticket", "/auth/sse-ticket"])
async def test_a_ticket_opens_one_stream(api: Api, path: str) -> None:
    given = (await api.client.post(path)).json()
    assert set(given) == {"ticket", "expires_in"}
    assert [await opened(api, given["ticket"]) for _ in range(2)] == [200, 401]


async def test_a_ticket_opens_nothing_but_a_stream(api: Api) -> None:
    ticket = (await api.client.post("/sse/ticket")).json()["ticket"]
    async with httpx2.AsyncClient(base_url=f"{api.root}/api/v1") as nobody:
        for method, path in (("GET", "/whoami"), ("GET", "/egress/secrets"), ("POST", "/sandboxes")):
            assert (await nobody.request(method, path, params={"ticket": ticket})).status_code == 401, path
    assert await opened(api, ticket) == 200


async def test_a_ticket_gives_what_its_maker_may(api: Api) -> None:
    headers = api.as_key(await api.tenant_key("secrets:read"))
    ticket = (await api.client.post("/sse/ticket", headers=headers)).json()["ticket"]
    assert await opened(api, ticket) == 403


async def test_answers_with_a_token_are_never_replayed(api: Api) -> None:
    headers = {"Idempotency-Key": "token-1"}
    body = json.dumps({"user_id": "u1", "workspace_id": "w1"})
    first = await api.client.post("/tokens/scoped", content=body, headers=headers)
    again = await api.client.post("/tokens/scoped", content=body, headers=headers)
    assert (first.status_code, again.status_code, again.json()["code"]) == (201, 409, "ANSWER_SHOWN_ONCE")


async def test_a_key_of_a_preset_has_its_scopes_and_no_more(api: Api) -> None:
    made = await api.client.post("/api-keys", json={"name": "bot", "preset": "runner"})
    assert set(made.json()["data"]["scopes"]) == {"sandboxes:read", "sandboxes:write"}


@pytest.mark.parametrize("asked", [{"preset": "no such"}, {"preset": "runner", "scopes": ["audit:read"]}])
async def test_a_preset_that_says_nothing_clear_makes_no_key(api: Api, asked: dict[str, object]) -> None:
    refused = await api.client.post("/api-keys", json={"name": "bot", **asked})
    assert (refused.status_code, refused.json()["error"]["details"]["field"]) == (422, "preset")
