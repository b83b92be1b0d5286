"""`openmiosa up --ephemeral`: a system for the program that started it, gone without a trace when that one is."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openmiosa_server.supervise.programs import started

COMMAND = [sys.executable, "-m", "openmiosa_server.supervise.commands", "up", "--ephemeral"]


class Running:
    """One of them, and everything that it started."""

    def __init__(self, command: list[str], env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.communicate()[1])
        self.said: dict[str, str] = json.loads(line)
        self.state = Path(self.said["state"])
        self.up: dict[str, Any] = json.loads((self.state / "up.json").read_text())
        self.born = {int(one["pid"]): str(one["started"]) for one in self.up["programs"].values()}

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One call of its API with the key that it said."""
        headers = {"Authorization": f"Bearer {self.said['api_key']}"}
        return httpx2.request(method, f"{self.said['base_url']}/api/v1/{path}", headers=headers, timeout=60, **options)

    def sandbox_with_a_process(self) -> None:
        """A sandbox in which something runs; the host's number of that process is remembered too."""
        made = self.call("POST", "sandboxes", json={}).json()["data"]["id"]
        mark = f"6{os.getpid()}{len(self.born)}"
        self.call("POST", f"sandboxes/{made}/processes", json={"command": f"exec sleep {mark}"})
        [pid] = wait(lambda: processes_with(mark), "the process to be seen from outside")
        self.born[pid] = str(started(pid))

    def gone(self) -> bool:
        """Whether nothing of it is left."""
        return not self.state.exists() and not any(started(pid) == birth for pid, birth in self.born.items())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts one, with its folders in a place of this test's own."""
    running: list[Running] = []

    def begin(*more: str, command: list[str] = COMMAND, **env: str) -> Running:
        running.append(Running([*command, *more], {"TMPDIR": str(folder), **env}))
        return running[-1]

    with tempfile.TemporaryDirectory(prefix="e-", dir=tempfile.gettempdir()) as folder:
        os.chmod(folder, 0o711)  # egressd's own user passes through
        yield begin
        for one in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.up["up"], signal.SIGTERM)
            one.process.communicate(timeout=30)
            wait(one.gone, "everything to be gone")


def test_its_one_line_says_where_it_is_and_with_which_key(start: Callable[..., Running]) -> None:
    running = start()
    assert set(running.said) == {"base_url", "api_key", "state"}
    assert running.call("GET", "whoami").status_code == 200


def test_it_ends_without_a_trace_when_its_input_closes(start: Callable[..., Running]) -> None:
    running = start()
    running.sandbox_with_a_process()
    rest, _ = running.process.communicate(timeout=30)
    assert (rest, running.process.returncode) == ("", 0)
    assert running.gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_without_a_trace_by_a_signal(start: Callable[..., Running], number: signal.Signals) -> None:
    running = start()
    running.process.send_signal(number)
    assert running.process.wait(30) == 0
    assert running.gone()


def test_it_ends_when_the_program_that_started_it_is_killed(start: Callable[..., Running]) -> None:
    middle = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *COMMAND]
    running = start(command=middle)
    running.process.kill()  # Our end of its standard input stays open.
    wait(running.gone, "everything to be gone")


def test_what_a_killed_one_leaves_is_removed_by_the_next(start: Callable[..., Running]) -> None:
    killed = start()
    killed.sandbox_with_a_process()
    os.kill(killed.up["up"], signal.SIGKILL)
    killed.process.wait(30)
    assert not killed.gone()
    start()
    assert killed.gone()


def test_one_that_runs_is_not_taken_for_a_leftover(start: Callable[..., Running]) -> None:
    first, second = start(), start()
    assert first.said["base_url"] != second.said["base_url"]
    assert first.call("GET", "whoami").status_code == 200


def test_a_file_gives_it_settings_and_the_environment_none(start: Callable[..., Running], tmp_path: Path) -> None:
    config = tmp_path / "given.toml"
    config.write_text("[sandboxes]\nmax_per_tenant = 1\n")
    running = start("--config", str(config), OPENMIOSA_DATABASE__URL="postgresql://the.real.one/openmiosa")
    assert [running.call("POST", "sandboxes", json={}).status_code for _ in range(2)] == [201, 409]


def test_settings_that_are_none_are_said_and_nothing_is_left(start: Callable[..., Running], tmp_path: Path) -> None:
    config = tmp_path / "given.toml"
    config.write_text("[sandboxes]\nmax_per_tenants = 1\n")
    with pytest.raises(RuntimeError, match=r"sandboxes\.max_per_tenants"):
        start("--config", str(config))


def wait(condition: Callable[[], Any], what: str) -> Any:
    """Poll until it holds, then give what it gave."""
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)
    return found


def processes_with(argument: str) -> list[int]:
    """The processes of this machine that were called with an argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", argument.encode()]:
                found.append(int(path.parent.name))
    return found


def test_a_link_that_somebody_left_leads_it_to_nothing(start: Callable[..., Running], tmp_path: Path) -> None:
    kept = tmp_path / "installation"
    (kept / "run").mkdir(parents=True)
    (kept / "up.lock").touch()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as theirs:
        (kept / "up.json").write_text(json.dumps({"programs": {"server": {"pid": theirs.pid, "started": started(theirs.pid)}}}))
        linking = f'ln -s {kept} "$TMPDIR/openmiosa-ephemeral-link" && exec "$@"'
        assert start(command=["sh", "-c", linking, "sh", *COMMAND]).call("GET", "whoami").status_code == 200
        assert ((kept / "run").is_dir(), theirs.poll()) == (True, None)
