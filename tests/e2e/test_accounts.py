"""Settled: a 401 from a connected account, names of connections; and what providers do wrong."""

import itertools
import json
import urllib.parse
from collections.abc import Iterator

import httpx2
import pytest

from ..kit.canary import canary
from ..kit.oracle import Row
from ..kit.system import World
from ..kit.upstreams import Request, Response

LIMIT = 64 * 1024


class Provider:
    """The scripted provider: hands out access tokens, and its API takes none but the newest that still counts."""

    def __init__(self, world: World, row: Row) -> None:
        self.row, self.numbers = row, itertools.count(1)
        self.accepted: str | None = None
        self.grants: list[dict[str, str]] = []
        self.refuse: Response | None = None
        world.internet.answer("idp.test", self.token)
        world.internet.answer("api.idp.test", self.api)
        row.may_dial("11.4.0.1")
        row.may_dial("11.4.0.2")
        row.may_dial("idp.test")
        row.may_dial("api.idp.test")

    def token(self, request: Request) -> Response:
        """The token endpoint."""
        self.grants.append(dict(urllib.parse.parse_qsl(request.body.decode())))
        if self.refuse is not None:
            return self.refuse
        self.accepted = self.fresh("api.idp.test")
        renewal = self.fresh("idp.test")
        answer = {"access_token": self.accepted, "token_type": "bearer", "expires_in": 3600, "refresh_token": renewal}
        return Response(body=json.dumps(answer).encode())

    def api(self, request: Request) -> Response:
        """The API behind it."""
        good = request.header("Authorization") == f"Bearer {self.accepted}"
        return Response() if good else Response(status=401, body=b'{"error": "expired"}')

    def fresh(self, host: str) -> str:
        """A token that may be seen at one host only."""
        value = canary()
        self.row.bound[value] = {host}
        return value

    def forget(self) -> None:
        """The token that was handed out counts no longer."""
        self.accepted = None

    def calls(self) -> list[str]:
        """What the API was called with since the row began."""
        dialled = self.row.world.internet.dialled(self.row.mark)
        return [
            request.header("Authorization") or ""
            for connection in dialled
            if connection.name == "api.idp.test"
            for request in connection.requests
        ]


@pytest.fixture
def account(oauth_world: World) -> Iterator[Provider]:
    """A sandbox whose service account gets its tokens by client credentials."""
    row = Row(oauth_world)
    provider = Provider(oauth_world, row)
    row.sandbox.secrets.add_machine_oauth(
        name="robot",
        token_url="https://idp.test/token",
        client_id="robot",
        client_secret=provider.fresh("idp.test"),
        expose_as_env="ROBOT_TOKEN",
        allowed_hosts=["api.idp.test"],
    )
    try:
        yield provider
        row.judge_from_outside()
    finally:
        row.close()


CALL = ["-H", "Authorization: Bearer $ROBOT_TOKEN", "https://api.idp.test/thing"]


def test_a_401_of_a_connected_account_is_refreshed_and_replayed_once(account: Provider):
    account.row.expect("api.idp.test", "allow")
    account.forget()
    assert account.row.curl(*CALL) == '{"ok": true}'
    assert len(account.calls()) == 2
    assert account.calls()[1] == f"Bearer {account.accepted}"
    assert [grant["grant_type"] for grant in account.grants] == ["client_credentials"] * 2


def test_many_401s_at_once_are_one_refresh(account: Provider):
    account.row.expect("api.idp.test", "allow", times=8)
    account.forget()
    quoted = " ".join(f'"{word}"' for word in CALL)
    said = account.row.run(f"for n in 1 2 3 4 5 6 7 8; do curl -s -m 20 {quoted} & done; wait").stdout
    assert said == '{"ok": true}' * 8
    assert len(account.grants) == 2


@pytest.mark.parametrize(("size", "status"), [(LIMIT - 100, "200"), (LIMIT + 100, "401")])
def test_only_a_body_that_is_still_buffered_is_replayed(account: Provider, size: int, status: str):
    account.row.expect("api.idp.test", "allow")
    account.forget()
    account.row.run(f"head -c {size} /dev/zero > /workspace/body")
    told = ["-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", "--data-binary", "@/workspace/body", *CALL]
    assert account.row.curl(*told) == status
    account.row.expect("api.idp.test", "allow")
    assert account.row.curl(*CALL) == '{"ok": true}', "the next request has the new token"


def test_a_provider_that_answers_500_wipes_nothing(account: Provider):
    account.row.expect("api.idp.test", "allow", times=2)
    account.refuse = Response(status=500, body=b"<html>oops</html>", headers={"Content-Type": "text/html"})
    account.forget()
    assert account.row.curl(*CALL) == '{"error": "expired"}'
    account.refuse = None
    assert account.row.curl(*CALL) == '{"ok": true}'


def test_consent_gives_a_secret_named_after_its_provider(oauth_world: World):
    row = Row(oauth_world)
    provider = Provider(oauth_world, row)
    try:
        flow = row.sandbox.secrets.connect("demo", expose_as_env="DEMO_TOKEN")
        page = consent(oauth_world, flow.authorize_url)
        assert page.status_code == 200
        secret = flow.wait_for_completion(timeout=20)
        assert (secret.name, secret.status, secret.type) == ("demo_token", "ready", "oauth_connect")
        assert provider.grants[0]["code_verifier"]
        row.expect("api.idp.test", "allow")
        assert row.curl("-H", "Authorization: Bearer $DEMO_TOKEN", "https://api.idp.test/me") == '{"ok": true}'
        row.judge_from_outside()
    finally:
        row.close()


def test_a_state_counts_once(oauth_world: World):
    row = Row(oauth_world)
    Provider(oauth_world, row)
    try:
        flow = row.sandbox.secrets.connect("demo", expose_as_env="DEMO_TOKEN")
        assert consent(oauth_world, flow.authorize_url).status_code == 200
        again = consent(oauth_world, flow.authorize_url)
        assert again.status_code in (400, 410)
        assert "text/html" in again.headers["content-type"]
    finally:
        row.close()


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=500, body=b"down"),
        Response(body=b"<html>sign in first</html>", headers={"Content-Type": "text/html"}),
        Response(status=400, body=b'{"error": "invalid_grant", "error_description": "<script>alert(1)</script>"}'),
        Response(body=b"[]"),
    ],
    ids=["500", "HTML", "refused", "a list"],
)
def test_a_provider_that_fails_at_the_exchange_gets_a_clear_page(oauth_world: World, answer: Response):
    row = Row(oauth_world)
    provider = Provider(oauth_world, row)
    provider.refuse = answer
    try:
        flow = row.sandbox.secrets.connect("demo", expose_as_env="DEMO_TOKEN")
        page = consent(oauth_world, flow.authorize_url)
        assert page.status_code >= 400
        assert "<script>alert" not in page.text
        status = flow.status()
        assert status.failed
        assert status.error or status.message
    finally:
        row.close()


def test_a_withdrawn_consent_needs_reauthorising_and_does_not_loop(oauth_world: World):
    row = Row(oauth_world)
    provider = Provider(oauth_world, row)
    try:
        flow = row.sandbox.secrets.connect("demo", expose_as_env="DEMO_TOKEN")
        consent(oauth_world, flow.authorize_url)
        flow.wait_for_completion(timeout=20)
        provider.refuse = Response(status=400, body=b'{"error": "invalid_grant"}')
        provider.forget()
        for _ in range(3):
            row.curl("-H", "Authorization: Bearer $DEMO_TOKEN", "https://api.idp.test/me")
        refreshes = [grant for grant in provider.grants if grant["grant_type"] == "refresh_token"]
        assert len(refreshes) == 1
        assert row.sandbox.secrets.get("demo_token").status == "needs_reauth"
        provider.refuse = None
        row.expect("api.idp.test", "allow", times=2)
        row.expect("api.idp.test", "reject", "secret-unavailable", times=2)
        again = row.sandbox.secrets.reauthorize("demo_token")
        consent(oauth_world, again.authorize_url)
        again.wait_for_completion(timeout=20)
        assert row.curl("-H", "Authorization: Bearer $DEMO_TOKEN", "https://api.idp.test/me") == '{"ok": true}'
        row.judge_from_outside()
    finally:
        row.close()


def consent(world: World, authorize_url: str) -> httpx2.Response:
    """What the browser does after the click: the provider sends it back to the callback with a code."""
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(authorize_url).query))
    assert asked["code_challenge_method"] == "S256"
    back = urllib.parse.urlsplit(asked["redirect_uri"])
    query = urllib.parse.urlencode({"code": "the-code", "state": asked["state"]})
    return httpx2.get(f"{world.system.base_url}{back.path}?{query}", timeout=30)
