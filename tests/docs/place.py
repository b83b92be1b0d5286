"""The world that the pages are read in: the stand-ins, a company called Acme with an API and accounts, and people who click."""

import base64
import contextlib
import functools
import json
import os
import re
import secrets
import subprocess
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
NAMES = [
    "example.com",
    "api.acme.example",
    "login.acme.example",
    "www.acme.example",
    "files.acme.example",
    "status.acme.example",
    "git.acme.example",
]
_CONSENT = re.compile(r"https://(github\.com/login/oauth/authorize|login\.acme\.example/authorize)\?\S+(?=\s)")
_DEVICE = re.compile(r"(https://github\.com/login/device\S*)\s.*?\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", re.DOTALL)


class Acme:
    """An identity provider and an API that takes its tokens, at names of the rig's Internet."""

    def __init__(self, internet: Internet, repositories: Path) -> None:
        self.tokens: set[str] = {"acme-key-of-the-tests"}
        self._repositories = repositories
        _make_repository(repositories / "shop.git")
        internet.answer("git.acme.example", self._git)
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

    def _git(self, request: Request) -> Response:
        """git's own server program, behind a password."""
        password = base64.b64decode((request.header("Authorization") or "").removeprefix("Basic ")).partition(b":")[2].decode()
        if password not in self.tokens:
            return Response(status=401, headers={"WWW-Authenticate": 'Basic realm="acme"'})
        path, _, query = request.target.partition("?")
        ran = subprocess.run(
            ["git", "http-backend"],
            input=request.body,
            capture_output=True,
            check=True,
            env={
                **os.environ,
                "GIT_PROJECT_ROOT": str(self._repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "agent",
                "REQUEST_METHOD": request.method,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": request.header("Content-Type") or "",
                "CONTENT_LENGTH": str(len(request.body)),
                "HTTP_CONTENT_ENCODING": request.header("Content-Encoding") or "",
                "GIT_PROTOCOL": request.header("Git-Protocol") or "",
            },
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return Response(status=int(headers.pop("Status", "200").split()[0]), headers=headers, body=body)


def _make_repository(path: Path) -> None:
    """A repository with one commit."""
    run = functools.partial(subprocess.run, check=True, capture_output=True)
    run(["git", "init", "-q", "--bare", "--initial-branch=main", str(path)])
    run(["git", "-C", str(path), "config", "http.receivepack", "true"])
    who = ["-c", "user.name=acme", "-c", "user.email=acme@acme.example"]
    tree = run(["git", "-C", str(path), "mktree"], input=b"").stdout.decode().strip()
    commit = run(["git", "-C", str(path), *who, "commit-tree", "-m", "Begin", tree]).stdout.decode().strip()
    run(["git", "-C", str(path), "update-ref", "refs/heads/main", commit])


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
            yield Place(world, standins, Acme(internet, folder / "repositories"), keys)
        finally:
            world.stop()
    finally:
        standins.stop()


def _shown_providers() -> dict[str, object]:
    shown = [tomllib.loads(block.text) for block in blocks.of(PAGES / "guides/connect-a-provider.md") if block.kind == "toml"]
    tables = [table["oauth"]["providers"] for table in shown if "oauth" in table]
    return {name: table for providers in tables for name, table in providers.items() if name != "github"}
