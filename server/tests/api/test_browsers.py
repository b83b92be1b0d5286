"""Pages of other origins: those that the operator lists may call, the others may not."""

import httpx2
import pytest
from openmiosa_server.settings import Settings
from pydantic import ValidationError
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from .conftest import Api

pytestmark = pytest.mark.anyio

APP, STRANGER = "https://app.example.com", "https://evil.example.com"


@pytest.fixture
def settings() -> Settings:
    """One origin is listed."""
    return Settings.model_validate({"server": {"bind": "127.0.0.1:0", "drain_seconds": 1, "browser_origins": [APP]}})


async def asked(api: Api, origin: str) -> httpx2.Response:
    """What a browser asks before a page's request with a key."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    return await api.client.options("/egress/policies", headers=headers)


async def test_a_listed_origin_is_let_in(api: Api) -> None:
    before = await asked(api, APP)
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, APP)
    assert {"authorization", "idempotency-key"} <= {name.strip() for name in before.headers["access-control-allow-headers"].split(",")}
    answer = await api.client.get("/whoami", headers={"Origin": APP})
    assert answer.headers["access-control-allow-origin"] == APP
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_refusal_can_be_read_by_a_listed_origin_too(api: Api) -> None:
    answer = await api.client.get("/whoami", headers={"Origin": APP, "Authorization": "Bearer nothing"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, APP)


async def test_another_origin_is_not_let_in(api: Api) -> None:
    assert (await asked(api, STRANGER)).status_code == 400
    assert "access-control-allow-origin" not in (await api.client.get("/whoami", headers={"Origin": STRANGER})).headers


async def opened(api: Api, origin: str) -> int:
    """The status of a WebSocket's handshake from a page."""
    url = api.root.replace("http", "ws", 1) + "/api/v1/egress/audit/resource/none"
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(url, origin=origin, additional_headers=api.as_key(api.key), proxy=None):
            pass
    return refused.value.response.status_code


async def test_a_page_opens_a_websocket_from_a_listed_origin_or_the_servers_own(api: Api) -> None:
    assert [await opened(api, origin) for origin in (APP, api.root, STRANGER)] == [404, 404, 403]


@pytest.mark.parametrize("origin", ["*", "https://app.example.com/", "app.example.com", "https://App.example.com", "null"])
def test_what_is_no_origin_is_refused_at_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings.model_validate({"server": {"browser_origins": [origin]}})
