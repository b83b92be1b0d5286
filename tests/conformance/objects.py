"""One thing of each kind, all of one end user of one tenant, and requests to any operation that address them.

A new operation whose parameters nobody has thought of fails here, with what to add.
"""

import contextlib
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from ..kit.system import World

OWNER, OTHER = "user-8", "user-7"
FILE = "/workspace/notes.txt"
# What a required query parameter is given when it names no object.
QUERIES: dict[str, Any] = {"path": FILE}
# What is given although the document does not require it: one of several must be there.
GIVEN: dict[str, dict[str, Any]] = {"files.export_download": {"path": FILE}}
# Queries and fields of bodies that name an object: the kind of object that they name.
NAMES = {
    "resource_id": "key",
    "secret_id": "secret",
    "policy_id": "policy",
    "after": "event",
    "snapshot_id": "snapshot",
    "state": "state",
    "external_user_id": "user",
}
# Operations that name a thing by a word of its own.
WORDS = {
    "sandboxes.get_by_name": {"name": "sandbox_name"},
    "env.delete": {"name": "variable"},
    "api_keys.delete_preset": {"name": "preset"},
    "files.read_compat": {"path": "file"},
    "secrets.reauthorize": {"secret": "connection"},
}


@dataclass
class Wanted:
    """A request that is about to be sent."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    content: bytes | None = None
    files: dict[str, Any] | None = None


class Objects:
    """What the rows address."""

    def __init__(self, world: World, name: str = "of-user-8") -> None:
        self.world = world
        self.client = httpx2.Client(base_url=f"{world.system.base_url}/api/v1", timeout=30)
        self.admin = world.system.api_key
        self._numbers = itertools.count(1)
        self._only: dict[str, str] = {}
        self.sandbox = self.made("POST", "/sandboxes", {"name": name, "external_user_id": OWNER, "env": {"MODE": "draft"}})
        self.ids: dict[str, str] = {"key": self.sandbox["id"], "sandbox_name": name, "variable": "MODE", "user": OWNER}
        self.ids["port"] = "8000"
        self.ids["file"] = FILE.lstrip("/")
        self.fresh("file")
        for kind in (
            "connection",
            "secret",
            "binding",
            "rule",
            "policy",
            "snapshot",
            "preview",
            "process",
            "api_key",
            "preset",
            "sid",
            "state",
        ):
            self.ids[kind] = self.fresh(kind)
        self.events = self._events()
        self.ids["event"] = self.events[0]

    def own(self) -> dict[str, str]:
        """Ids and names that nobody else may ever read."""
        plain = ("file", "variable", "user")
        return {kind: value for kind, value in self.ids.items() if kind not in plain} | {"later event": self.events[1]}

    def close(self, *, but: str = "") -> None:
        """Destroy the sandboxes that are left, but for one."""
        for sandbox in self.client.get("/sandboxes", headers=self._admin()).json()["data"]:
            if sandbox["name"] != but:
                self.send(Wanted("DELETE", f"/sandboxes/{sandbox['id']}"), self.admin)
        self.client.close()

    def made(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """What a call that must succeed answers."""
        answer = self.send(Wanted(method, path, body=body), key or self.admin)
        assert answer.status_code < 300, answer.text
        told = answer.json()
        return told.get("data", told)

    def send(self, wanted: Wanted, key: str | None) -> httpx2.Response:
        """One request; of a stream, its head and its first bytes."""
        with self.opened(wanted, key) as answer:
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer._content = next(answer.iter_raw(), b"")
            else:
                answer.read()
            return answer

    def opened(self, wanted: Wanted, key: str | None) -> contextlib.AbstractContextManager[httpx2.Response]:
        """The same with its body still to come."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        given: dict[str, Any] = {"params": wanted.params, "headers": headers, "content": wanted.content, "files": wanted.files}
        return self.client.stream(wanted.method, wanted.path, json=wanted.body, **given)

    def key(self, *scopes: str, user: str | None = None, by: str | None = None) -> str:
        """A new key with these scopes alone."""
        body = {"name": f"key-{next(self._numbers)}", "scopes": list(scopes), "external_user_id": user}
        return str(self.made("POST", "/api-keys", body, key=by)["token"])

    def only(self, scope: str) -> str:
        """The owner's key with this scope alone."""
        if scope not in self._only:
            self._only[scope] = self.key(scope)
        return self._only[scope]

    def fresh(self, kind: str) -> str:
        """One more thing of a kind, for whoever destroys it."""
        maker: Callable[[], str] | None = getattr(self, f"_new_{kind}", None)
        assert maker is not None, (
            f"tests/conformance/objects.py: no operation was given a {kind!r} yet; add _new_{kind}, or a word in WORDS"
        )
        return maker()

    def wanted(self, told: dict[str, Any], fresh: bool = False) -> Wanted:
        """A request to an operation that addresses these objects and would succeed for their owner."""
        path = told["path"]
        words = WORDS.get(told["operationId"], {})
        given = {one["name"]: one for one in told["parameters"] if one["in"] == "path"}
        for number, name in enumerate(given, 1):
            kind = words.get(name, name)
            last = fresh and number == len(given)
            value = self.fresh(kind) if last or kind not in self.ids else self.ids[kind]
            path = path.replace(f"{{{name}}}", value)
        made = Wanted(told["method"], path, params=dict(GIVEN.get(told["operationId"], {})))
        for one in told["parameters"]:
            if one["in"] == "query" and one.get("required"):
                name = one["name"]
                assert name in QUERIES or name in NAMES, f"objects.py: give the query parameter {name!r} a value in QUERIES"
                made.params[name] = QUERIES[name] if name in QUERIES else self.ids[NAMES[name]]
            if one["name"] == "after":  # so that a tail has something to say
                made.params["after"] = self.events[0]
        if told["body"] is not None:
            made.body = self._body(told)
        elif "requestBody" in told:
            self._other_body(told, made)
        return made

    def _body(self, told: dict[str, Any]) -> dict[str, Any]:
        body = json.loads(json.dumps(told["body"]["examples"][0]))
        for name in body.keys() & NAMES.keys():
            body[name] = self.ids[NAMES[name]]
        if "name" in body:
            body["name"] = f"{body['name']}-{next(self._numbers)}"
        return body

    def _other_body(self, told: dict[str, Any], made: Wanted) -> None:
        kinds = told["requestBody"]["content"]
        if "multipart/form-data" in kinds:
            made.files = {"path": (None, FILE), "file": ("notes.txt", b"hello\n")}
        else:
            made.content = b"hello\n"

    def _new_key(self) -> str:
        name = f"spare-{next(self._numbers)}"
        return str(self.made("POST", "/sandboxes", {"name": name, "external_user_id": OWNER})["id"])

    def _new_file(self) -> str:
        self.made("POST", f"/sandboxes/{self.ids['key']}/fs/write", {"path": FILE, "content_base64": "aGVsbG8K"})
        return FILE.lstrip("/")

    def _new_variable(self) -> str:
        self.made("PUT", f"/sandboxes/{self.ids['key']}/env", {"vars": [{"key": "MODE", "value": "draft"}]})
        return "MODE"

    def _new_secret(self) -> str:
        body = {"name": f"secret-{next(self._numbers)}", "value": "v" * 24, "allowed_hosts": ["ok.test"], "resource_id": self.ids["key"]}
        return str(self.made("POST", "/egress/secrets", body)["id"])

    def _new_binding(self) -> str:
        body = {"secret_id": self.ids["secret"], "resource_id": self.ids["key"], "expose_as_env": f"TOKEN_{next(self._numbers)}"}
        return str(self.made("POST", "/egress/bindings", body)["id"])

    def _new_rule(self) -> str:
        body = {"host": f"h{next(self._numbers)}.test", "resource_id": self.ids["key"]}
        return str(self.made("POST", "/egress/allowlist", body)["id"])

    def _new_policy(self) -> str:
        body = {"name": f"policy-{next(self._numbers)}", "mode": "audit_only", "resource_id": self.ids["key"]}
        return str(self.made("POST", "/egress/policies", body)["id"])

    def _new_snapshot(self) -> str:
        return str(self.made("POST", f"/sandboxes/{self.ids['key']}/snapshots", {})["id"])

    def _new_preview(self) -> str:
        return str(self.made("POST", f"/sandboxes/{self.ids['key']}/previews", {"port": 9000 + next(self._numbers)})["id"])

    def _new_process(self) -> str:
        return str(self.made("POST", f"/sandboxes/{self.ids['key']}/processes", {"command": "echo started; exec sleep 600"})["id"])

    def _new_sid(self) -> str:
        return str(self.made("POST", f"/sandboxes/{self.ids['key']}/terminal", {})["id"])

    def _new_preset(self) -> str:
        return str(self.made("POST", "/api-keys/presets", {"name": f"preset-{next(self._numbers)}", "scopes": ["audit:read"]})["name"])

    def _new_api_key(self) -> str:
        body = {"name": f"key-{next(self._numbers)}", "scopes": ["audit:read"], "external_user_id": OWNER}
        return str(self.made("POST", "/api-keys", body)["id"])

    def _new_state(self) -> str:
        return str(self._connect()["state"])

    def _new_connection(self) -> str:
        return str(self._connect()["secret_id"])

    def _connect(self) -> dict[str, Any]:
        return dict(
            self.made("POST", "/egress/oauth/start", {"provider": "github", "resource_id": self.ids["key"], "resource_type": "sandbox"})
        )

    def _events(self) -> list[str]:
        """Two calls out of the sandbox, and the ids of their events."""
        command = "curl -s https://ok.test/; curl -s https://ok2.test/"
        self.made("POST", f"/sandboxes/{self.ids['key']}/exec", {"command": command})
        deadline = time.monotonic() + 20
        listed = f"/egress/audit?resource_id={self.ids['key']}"
        while len(found := self.client.get(listed, headers=self._admin()).json()["events"]) < 2:
            assert time.monotonic() < deadline, "no events came"
            time.sleep(0.05)
        return [event["id"] for event in found]

    def _admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.admin}"}
