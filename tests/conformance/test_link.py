"""The link's schemas against the real egressd: what it says validates, and what validates is accepted."""

import base64
import json
import os
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from openmiosa_server.link import authority, sealing
from openmiosa_server.policy.compile import BindingValue, PolicyValue, SandboxValue, compile
from openmiosa_server.policy.rules import make_rule
from openmiosa_server.supervise.programs import binary
from openmiosa_server.vault.value import SecretValue

SCHEMAS = Path(__file__).resolve().parents[2] / "contracts" / "link"
SANDBOX, TENANT, SECRET = "sbx_" + "0" * 26, "ten_" + "0" * 26, "sec_" + "0" * 26


def check(name: str, message: Any) -> None:
    """Raises when a message is not what its schema says."""
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text())).validate(message)


class Listening(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The server's side of link.sock: keeps what egressd says."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.said: list[tuple[str, Any]] = []
        super().__init__(str(path), Answering)


class Answering(BaseHTTPRequestHandler):
    """Acknowledges hellos and events."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.said.append((self.path, message))
        answer = {"epoch": 1} if self.path == "/v1/hello" else {"acknowledged": max([0, *(record["seq"] for record in message["records"])])}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "egressd"

    def log_message(self, *_: Any) -> None:
        return


class Gateway:
    """A running egressd and the server's side of its link."""

    def __init__(self, folder: Path) -> None:
        (folder / "run").mkdir(mode=0o700)
        (folder / "journal").mkdir(mode=0o700)
        (folder / "egressd.toml").write_text("")
        self.link = Listening(folder / "run" / "link.sock")
        threading.Thread(target=self.link.serve_forever, daemon=True).start()
        arguments = ["--run-dir", folder / "run", "--journal-dir", folder / "journal", "--config", folder / "egressd.toml"]
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [binary("egressd"), *map(str, arguments), "--peer-uid", str(os.geteuid())], stdout=self.log, stderr=self.log
        )
        self.client = httpx2.Client(transport=httpx2.HTTPTransport(uds=str(folder / "run" / "egressd.sock")), base_url="http://egressd")

    def stop(self) -> None:
        """End both."""
        self.client.close()
        self.process.terminate()
        self.process.wait(20)
        self.link.shutdown()
        self.link.server_close()
        self.log.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """An egressd that has said hello."""
    made = Gateway(tmp_path)
    try:
        for _ in until(10):
            if made.link.said:
                break
        yield made
    finally:
        made.stop()


def test_hello_is_as_the_schema_says(gateway: Gateway):
    path, message = gateway.link.said[0]
    assert path == "/v1/hello"
    check("hello", message)


def test_status_is_as_the_schema_says(gateway: Gateway):
    check("status", gateway.client.get("/v1/status").json())


def test_an_older_epoch_is_refused_in_the_form_of_errors(gateway: Gateway):
    check("epoch", gateway.client.put("/v1/epoch", json={"v": 1, "epoch": 7}).json())
    answer = gateway.client.put("/v1/epoch", json={"v": 1, "epoch": 6})
    assert answer.status_code == 409
    check("error", answer.json())
    assert answer.json()["error"]["code"] == "stale_epoch"


def test_a_compiled_snapshot_and_sealed_leases_are_accepted(gateway: Gateway):
    put(gateway, snapshot(revision=1))
    status = gateway.client.get("/v1/status").json()
    check("status", status)
    assert status["sandboxes"][0]["revision"] == 1
    assert {lease["lease"] for lease in status["leases"]} == {SECRET, f"ca_{SANDBOX}"}


def test_an_older_snapshot_and_an_older_lease_are_refused(gateway: Gateway):
    put(gateway, snapshot(revision=5), version=5)
    stale = gateway.client.put(f"/v1/snapshots/{SANDBOX}", json=snapshot(revision=4), headers=EPOCH)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "stale_revision")
    older = gateway.client.put(f"/v1/leases/{SECRET}", json=lease(gateway, SECRET, "secret", b"value", 4), headers=EPOCH)
    assert (older.status_code, older.json()["error"]["code"]) == (409, "stale_version")


def test_a_lease_that_was_sealed_for_another_boot_is_refused(gateway: Gateway):
    gateway.client.put("/v1/epoch", json={"v": 1, "epoch": 1})
    wrong = lease(gateway, SECRET, "secret", b"value", 1, boot="01" + "0" * 24)
    answer = gateway.client.put(f"/v1/leases/{SECRET}", json=wrong, headers=EPOCH)
    assert answer.status_code >= 400
    check("error", answer.json())


def test_unknown_fields_are_ignored_and_newer_versions_refused(gateway: Gateway):
    assert gateway.client.put("/v1/epoch", json={"v": 1, "epoch": 3, "colour": "red"}).status_code == 200
    answer = gateway.client.put("/v1/epoch", json={"v": 2, "epoch": 4})
    assert answer.json()["error"]["code"] == "version_unsupported"


EPOCH = {"OpenMIOSA-Epoch": "1"}
CERTIFICATE, KEY = authority.make(SANDBOX)


def put(gateway: Gateway, message: dict[str, Any], version: int = 1) -> None:
    """Everything that one sandbox needs, in the order of the contract."""
    gateway.client.put("/v1/epoch", json={"v": 1, "epoch": 1}).raise_for_status()
    for name, purpose, value in ((SECRET, "secret", b"a value"), (f"ca_{SANDBOX}", "authority_key", KEY)):
        sealed = lease(gateway, name, purpose, value, version)
        check("lease", sealed)
        gateway.client.put(f"/v1/leases/{name}", json=sealed, headers=EPOCH).raise_for_status()
    check("snapshot", message)
    gateway.client.put(f"/v1/snapshots/{SANDBOX}", json=message, headers=EPOCH).raise_for_status()


def lease(gateway: Gateway, name: str, purpose: str, value: bytes, version: int, boot: str | None = None) -> dict[str, Any]:
    """A lease as the server seals it."""
    status = gateway.client.get("/v1/status").json()
    public_key = base64.b64decode(status["public_key"])
    sealed = sealing.seal(
        public_key, SecretValue(value), boot=boot or status["boot"], lease=name, tenant=TENANT, purpose=purpose, version=version
    )
    return {"v": 1, "lease": name, "tenant": TENANT, "purpose": purpose, "version": version, "expires_in_ms": None, "sealed": sealed}


def snapshot(revision: int) -> dict[str, Any]:
    """A snapshot as the server compiles it."""
    sandbox = SandboxValue(SANDBOX, TENANT, "contract", revision, CERTIFICATE, f"ca_{SANDBOX}")
    policies = [PolicyValue("sandbox", "enforce", "deny")]
    rules = [make_rule(rule_id="rul_" + "0" * 26, scope="sandbox", effect="allow", host="*.ok.test", methods=["get"], path_glob="/v1/*")]
    binding = BindingValue("bnd_" + "0" * 26, SECRET, "key", "miosa-tok-" + "0" * 32, ("ok.test",), "KEY", "active", False)
    return compile(sandbox, policies, rules, [binding])


def until(seconds: float) -> Iterator[None]:
    """Turns of a poll, with a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.01)
    raise TimeoutError
