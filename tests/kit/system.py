"""The world of the tests: the rig's Internet and name server, and the real system in the middle of it."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
from openmiosa import Miosa
from openmiosa_server.db import new_id
from openmiosa_server.identity import SCOPES, tokens
from openmiosa_server.supervise import layout
from openmiosa_server.testing import System

from . import rig
from .names import Names
from .upstreams import Internet, echo

PROBE = Path(__file__).with_name("probe.py")
# The names of the threat catalogue's rig. The addresses are public ones: the address guard lets them pass.
ADDRESSES = {
    "ok.test": "11.1.0.1",
    "ok2.test": "11.1.0.2",
    "echo.test": "11.1.0.3",
    "no.test": "11.1.0.4",
    "reb.test": "11.1.0.5",
    "evil.test": "11.1.0.6",
    "a.wild.test": "11.1.0.7",
}
ALLOWED = ["ok.test", "ok2.test", "echo.test", "reb.test"]
MODES = ["audit_only", "enforce", "lockdown"]


class World:
    """Everything that a test of the whole system needs, started once and shared."""

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        static_hosts: Mapping[str, str] | None = None,
        authorities: Sequence[Path] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="openmiosa-world-"))
        os.chmod(self.folder, 0o711)
        # Names that were only asked for become rows soon, so that a test need not wait for ten seconds.
        self._settings = {"egress": {"dns_window_ms": 500}, **(settings or {})}
        self._static_hosts = static_hosts
        self._authorities = authorities
        self._numbers = itertools.count(1)

    def start(self, internet: Internet, names: Names) -> "World":
        """Start the system; the Internet and its names are there already."""
        self.internet, self.names = internet, names
        authority = self.folder / "authority.pem"
        authority.write_bytes(internet.authority.pem)
        trusted = [authority, *self._authorities]
        self.system = System(self.folder / "state", extra_ca_files=trusted, static_hosts=self._static_hosts, settings=self._settings)
        self.system.start()
        self.client = self.connect()
        return self

    def restart(self) -> None:
        """Stop everything and start it again on the same state."""
        self.client.close()
        self.system.stop()
        (self.system.state / "up.log").unlink(missing_ok=True)
        self.system.start()
        self.client = self.connect()

    def add_tenant(self) -> None:
        """Make another tenant with a key of its own, by the database alone: there is no call for it, and one connection at a time."""
        self.client.close()
        self.system.stop()
        self.stranger = tokens.mint()
        moment = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
        tenant, key = new_id("ten"), new_id("key")
        with contextlib.closing(sqlite3.connect(self.system.state / "openmiosa.db")) as database, database:
            database.execute("insert into tenants (id, name, created_at) values (?, 'stranger', ?)", (tenant, moment))
            row = (key, tenant, "stranger", self.stranger[:12], tokens.digest(self.stranger), json.dumps(sorted(SCOPES)), moment)
            columns = "id, tenant_id, name, prefix, hash, scopes, created_at"
            database.execute(f"insert into api_keys ({columns}) values (?, ?, ?, ?, ?, ?, ?)", row)
        (self.system.state / "up.log").unlink(missing_ok=True)
        self.system.start()
        self.client = self.connect()

    def stop(self) -> None:
        """End the system and remove its folder."""
        with contextlib.suppress(AttributeError):
            self.client.close()
        self.system.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, api_key: str | None = None) -> Miosa:
        """A client with the admin key or another."""
        return Miosa(api_key=api_key or self.system.api_key, base_url=self.system.base_url)

    def sandbox(self, **options: Any) -> Any:
        """A new sandbox with the probe in its workspace."""
        sandbox = self.client.sandboxes.create(name=f"row-{next(self._numbers)}", **options)
        sandbox.files.write("/workspace/probe.py", PROBE.read_bytes())
        return sandbox

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One raw call of the API, for what the SDK would not send."""
        headers = {"Authorization": f"Bearer {self.system.api_key}", **options.pop("headers", {})}
        return httpx2.request(method, f"{self.system.base_url}/api/v1{path}", headers=headers, timeout=60, **options)

    def egress_status(self) -> dict[str, Any]:
        """What egressd says of itself."""
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(self.system.places.run / "egressd.sock"))) as client:
            return client.get("http://egressd/v1/status").json()

    def shipped(self) -> bool:
        """Whether every record that egressd wrote is stored by the server."""
        journal = self.egress_status()["journal"]
        return journal["acknowledged"] >= journal["next"] - 1

    @contextlib.contextmanager
    def held_still(self, program: str) -> Iterator[None]:
        """SIGSTOP one of the programs, or `up` itself, for a while."""
        assert self.system._process is not None
        pid = self.system._process.pid if program == "up" else self.system.pid(program)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def start_beside_the_server(self, sandbox: str, command: str) -> dict[str, Any]:
        """Start a process through cell alone, when the server cannot be asked."""
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(self.system.places.run / "cell.sock"))) as client:
            body = {"argv": ["/bin/sh", "-c", command], "env": {}, "cwd": "/workspace"}
            return client.post(f"http://cell/v1/sandboxes/{sandbox}/processes", json=body).json()["process"]

    def wait(self, condition: Callable[[], object], what: str, patience: float = 20.0) -> None:
        """Poll a condition until it holds."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {patience:.0f} s for {what}")
            time.sleep(0.02)

    @property
    def egress_uid(self) -> int:
        """The user id of egressd."""
        given = layout.egress_uid()
        return os.geteuid() if given is None else given

    def pids(self) -> dict[str, int]:
        """The process ids of the three programs."""
        return {program: self.system.pid(program) for program in ("server", "egressd", "cell")}


@contextlib.contextmanager
def surroundings() -> Iterator[tuple[Internet, Names]]:
    """The rig with its Internet and name server; this process lives in it from now on."""
    rig.enter()
    internet, names = Internet().start(), Names().start()
    for name, address in ADDRESSES.items():
        names.set(name, [address])
    internet.answer("echo.test", echo)
    try:
        yield internet, names
    finally:
        names.stop()
        internet.stop()


@contextlib.contextmanager
def world(internet: Internet, names: Names, **options: Any) -> Iterator[World]:
    """A system of one's own in the rig."""
    made = World(**options)
    try:
        yield made.start(internet, names)
    finally:
        made.stop()


def parsed(text: str) -> Any:
    """The JSON that the probe printed, or its text in the failure."""
    try:
        return json.loads(text)
    except ValueError:
        raise AssertionError(f"the probe said {text!r}") from None
