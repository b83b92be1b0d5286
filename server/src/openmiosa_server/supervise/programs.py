"""The three programs as child processes: how each is called, when it is ready, and how it ends."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from .layout import EGRESS_UID, Layout, egress_uid

# A program that lived this long was healthy: the next restart begins with the short pause again.
_HEALTHY_AFTER = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_PASSED_ON = frozenset(("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_RUNTIME_DIR"))
# What a drain may take before the program is killed.
_DRAIN = 15.0


class CouldNotStart(Exception):
    """A program ended, or was not ready in time; the message carries the end of its log."""


@dataclass
class Program:
    """One of the siblings."""

    name: str
    argv: list[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    env: dict[str, str] = field(default_factory=dict)
    configured_by_environment: bool = False
    uid: int | None = None
    inherits: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0

    async def start(self, patience: float = 30.0) -> None:
        """Start and wait until it answers."""
        options: dict[str, Any] = {"user": self.uid, "group": self.uid, "extra_groups": []} if self.uid is not None else {}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**(os.environ if self.configured_by_environment else _harmless(os.environ)), **self.env},
                cwd="/",
                start_new_session=True,
                pass_fds=self.inherits,
                **options,
            )
        await self._until_ready(patience)

    async def _until_ready(self, patience: float) -> None:
        assert self.process is not None
        deadline = asyncio.get_running_loop().time() + patience
        while not await self.ready():
            if self.process.returncode is not None:
                raise CouldNotStart(
                    f"{self.name} ended at once with status {self.process.returncode}. The end of {self.log}:\n{self.tail()}"
                )
            if asyncio.get_running_loop().time() > deadline:
                raise CouldNotStart(f"{self.name} was not ready within {patience:.0f} s. The end of {self.log}:\n{self.tail()}")
            await asyncio.sleep(0.02)

    async def keep(self, changed: Callable[[], None], say: Callable[[str], None]) -> None:
        """Wait for its end and start it again, with growing pauses, for as long as this task is not cancelled."""
        pause = _FIRST_PAUSE
        while True:
            assert self.process is not None
            began = asyncio.get_running_loop().time()
            status = await self.process.wait()
            if asyncio.get_running_loop().time() - began > _HEALTHY_AFTER:
                pause = _FIRST_PAUSE
            say(f"{self.name} ended ({_how(status)}); starting it again in {pause:.1f} s. Its log: {self.log}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            self.restarts += 1
            try:
                await self.start()
                say(f"{self.name} is back (process {self.process.pid})")
            except CouldNotStart as error:
                say(str(error))
            changed()

    async def stop(self) -> None:
        """Ask it to drain, then kill it; both by its own process id."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _DRAIN)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def tail(self, lines: int = 12) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"


def _harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the operator's variables, those that egressd and cell need: the rest may hold passwords, and they read files alone."""
    return {name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith(("LC_", "RUST_"))}


def _how(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def programs(places: Layout, config: Path, base_url: str, verify: str | bool = True, listener: int | None = None) -> list[Program]:
    """cell first (it waits for nobody), then egressd, then the server, which puts everything to both.

    With `listener`, the descriptor of a bound socket, the server serves on that instead of binding its own.
    """
    uid = egress_uid()
    run = str(places.run)
    peer = ["--egress-uid", str(uid)] if uid is not None else []
    server_peer = ["--peer-uid", str(os.geteuid())] if uid is not None else []
    server = [sys.executable, "-m", "openmiosa_server.main"]
    inherited = (listener,) if listener is not None else ()
    listen = ["--listen-fd", *map(str, inherited)] if inherited else []
    server_env = {"OPENMIOSA_BOOTSTRAP_KEY_FILE": str(places.bootstrap_key)}
    if uid is not None:
        server_env["OPENMIOSA_LINK_PEER_UIDS"] = str(EGRESS_UID)
    return [
        Program(
            "cell",
            [binary("cell"), "--run-dir", run, "--state-dir", str(places.cell), *peer],
            places.log / "cell.log",
            _answers(places.run / "cell.sock", "/v1/host"),
        ),
        Program(
            "egressd",
            [
                binary("egressd"),
                "--run-dir",
                run,
                "--journal-dir",
                str(places.journal),
                "--config",
                str(places.egress_config),
                *server_peer,
            ],
            places.log / "egressd.log",
            _answers(places.run / "egressd.sock", "/v1/status"),
            uid=uid,
        ),
        Program(
            "server",
            [*server, "--config", str(config), "--state", str(places.state), "--run-dir", run, *listen],
            places.log / "server.log",
            _answers_at(f"{base_url}/readyz", verify),
            env=server_env,
            configured_by_environment=True,
            inherits=inherited,
        ),
    ]


def binary(name: str) -> str:
    """The path of `cell` or `egressd`: beside this Python, else OPENMIOSA_BIN_DIR, else PATH."""
    beside = Path(sys.executable).parent / name
    if named := os.environ.get("OPENMIOSA_BIN_DIR"):
        beside = Path(named) / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise CouldNotStart(
            f"The program '{name}' is not beside {sys.executable}, nor on PATH. "
            "Install the wheel openmiosa-server, or set OPENMIOSA_BIN_DIR."
        )
    return found


def _answers(socket: Path, path: str) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        try:
            async with httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(socket)), timeout=2) as client:
                return (await client.get(f"http://localhost{path}")).status_code == 200
        except httpx2.HTTPError:
            return False

    return ask


def _answers_at(url: str, verify: str | bool) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        try:
            async with httpx2.AsyncClient(timeout=2, verify=verify, trust_env=False) as client:
                return (await client.get(url)).status_code == 200
        except httpx2.HTTPError:
            return False

    return ask


def remember(places: Layout, children: list[Program], base_url: str) -> None:
    """Write what runs to `up.json`: process ids with their start times, so that a later `up` ends only what this one started."""
    running = {
        child.name: {"pid": child.process.pid, "started": started(child.process.pid)}
        for child in children
        if child.process is not None and child.process.returncode is None
    }
    draft = places.up.with_suffix(".new")
    draft.write_text(json.dumps({"base_url": base_url, "up": os.getpid(), "programs": running}, indent=1) + "\n")
    draft.replace(places.up)


def started(pid: int) -> str | None:
    """The start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), which with its pid names it for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


async def end_leftovers(places: Layout) -> list[str]:
    """End programs that an earlier `up`, killed without a chance to do so, left behind."""
    try:
        earlier = json.loads(places.up.read_text())["programs"]
    except (OSError, ValueError, KeyError):
        return []
    ended = []
    for name, child in earlier.items():
        if started(child["pid"]) == child["started"] is not None:
            await _end(child["pid"], child["started"])
            ended.append(name)
    places.up.unlink(missing_ok=True)
    return ended


async def _end(pid: int, birth: str) -> None:
    os.kill(pid, signal.SIGTERM)
    for _ in range(200):
        if started(pid) != birth:
            return
        await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
