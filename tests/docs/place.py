"""The world that the pages are read in: the stand-ins, a company called Acme with an API and accounts, and people who click."""

import contextlib
import json
import re
import secrets
import threading
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2

from tools.walkthrough.control import StandIns
from tools.walkthrough.person import Browser

from ..kit.names import Names
from ..kit.system import World
from ..kit.upstreams import Internet, Request, Response, echo
from . import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs"
CALLBACK = "{}/api/v1/egress/oauth/callback"
NAMES = ["example.com", "api.acme.example", "login.acme.example", "www.acme.example", "files.acme.example", "status.acme.example"]
_CONSENT = re.compile(r"https://(github\.com/login/oauth/authorize|login\.acme\.example/authorize)\?\S+(?=\s)")
_DEVICE = re.compile(r"(https://github\.com/login/device\S*)\s.*?\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", re.DOTALL)


class Acme:
    """An identity provider and an API that takes its tokens, at names of the rig's Internet."""

    def __init__(self, internet: Internet) -> None:
        self.tokens: set[str] = {"acme-key-of-the-tests"}
        internet.answer("login.acme.example", self._login)
        internet.answer("api.acme.example", self._api)
        internet.answer("files.acme.example", echo)

    def _login(self, request: Request) -> Response:
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if form.get("grant_type") not in ("authorization_code", "refresh_token", "client_credentials"):
            return Response(status=400, body=b'{"error": "unsupported_grant_type"}')
        token = f"acme_{secrets.token_hex(16)}"
        self.tokens.add(token)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": 3600, "refresh_token": secrets.token_hex(16)}
        return Response(body=json.dumps(answer).encode())

    def _api(self, request: Request) -> Response:
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        if token not in self.tokens:
            return Response(status=401, body=b'{"error": "unauthorized"}')
        return Response(body=json.dumps({"path": request.target.partition("?")[0]}).encode())


class Place:
    """The running system with everything around it."""

    def __init__(self, world: World, standins: StandIns, acme: Acme, keys: dict[str, str]) -> None:
        self.world, self.standins, self.acme, self.keys = world, standins, acme, keys
        self.troubles: list[str] = []
        self._read = ""
        self._browser = Browser(standins.hosts, standins.ca_file)

    def heard(self, line: str) -> None:
        """A person reads what is printed, and consents when a page asks for it."""
        self._read = f"{self._read}{line}"[-4000:]
        if found := _CONSENT.search(self._read):
            act = self._acme_consent if "acme" in found[1] else self._browser.consent
            self._do(act, found[0])
        elif found := _DEVICE.search(self._read):
            self._do(self._browser.enter_code, found[1], found[2])

    def _do(self, act: Callable[..., None], *arguments: str) -> None:
        self._read = ""
        threading.Thread(target=self._guarded, args=(act, arguments), daemon=True).start()

    def _guarded(self, act: Callable[..., None], arguments: tuple[str, ...]) -> None:
        try:
            act(*arguments)
        except Exception as error:
            self.troubles.append(f"{type(error).__name__}: {error} {arguments}")

    def _acme_consent(self, address: str) -> None:
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        query = urllib.parse.urlencode({"state": asked["state"], "code": secrets.token_hex(8)})
        httpx2.get(f"{asked['redirect_uri']}?{query}").raise_for_status()


@contextlib.contextmanager
def place(internet: Internet, names: Names, folder: Path) -> Iterator[Place]:
    """Start everything; the provider of one's own is the one that its guide shows."""
    for number, name in enumerate(NAMES):
        names.set(name, [f"11.9.0.{number + 1}"])
    keys = {label: f"sk-proj-{secrets.token_urlsafe(48)}" for label in ("old", "new")}
    app = {"client_id": f"Iv23li{secrets.token_hex(7)}", "client_secret": secrets.token_hex(20)}
    standins = StandIns(folder / "standins", ROOT)
    try:
        standins.accept_openai_keys(**keys)
        world = World(
            settings={"oauth": {"providers": {"github": app, **_shown_providers()}}},
            static_hosts=standins.hosts,
            authorities=[standins.ca_file],
        )
        try:
            world.start(internet, names)
            standins.register_app(**app, callback=CALLBACK.format(world.system.base_url.replace("127.0.0.1", "localhost")))
            yield Place(world, standins, Acme(internet), keys)
        finally:
            world.stop()
    finally:
        standins.stop()


def _shown_providers() -> dict[str, object]:
    shown = [tomllib.loads(block.text) for block in blocks.of(PAGES / "guides/connect-a-provider.md") if block.kind == "toml"]
    tables = [table["oauth"]["providers"] for table in shown if "oauth" in table]
    return {name: table for providers in tables for name, table in providers.items() if name != "github"}
