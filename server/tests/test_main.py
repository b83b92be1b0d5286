"""The program: its exit codes, its first key, its end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest


@contextmanager
def server(state: Path, *, bind: str, key_file: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """The program as a process; ended by its id."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENMIOSA_")}
    environment["OPENMIOSA_SERVER__BIND"] = bind
    if key_file is not None:
        environment["OPENMIOSA_BOOTSTRAP_KEY_FILE"] = str(key_file)
    command = [sys.executable, "-m", "openmiosa_server.main", "--state", str(state), "--run-dir", str(state)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], event: str) -> str:
    """Read the log until an event; its line."""
    assert process.stderr is not None
    for line in process.stderr:
        if f'"event": "{event}"' in line:
            return line
    raise AssertionError(f"the log ended without {event}")


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a path short enough for sockets."""
    return tmp_path_factory.mktemp("s")


def test_it_starts_hands_over_one_key_and_drains_with_a_tail_open(state: Path) -> None:
    key_file = state / "key"
    with server(state, bind="127.0.0.1:0", key_file=key_file) as process:
        address = until(process, "ready").split('"bind": "')[1].split('"')[0]
        assert key_file.stat().st_mode & 0o777 == 0o600
        headers = {"Authorization": f"Bearer {key_file.read_text().strip()}"}
        with httpx2.stream("GET", f"http://{address}/api/v1/events/stream", headers=headers, timeout=10) as tail:
            lines = tail.iter_lines()
            assert next(lines) == ": open"
            process.send_signal(signal.SIGTERM)
            assert [line for line in lines if line] == []
        assert process.wait(10) == 0


def test_a_second_start_makes_no_second_key(state: Path) -> None:
    with server(state, bind="127.0.0.1:0", key_file=state / "key") as process:
        until(process, "ready")
        process.terminate()
        assert process.wait(10) == 0
    with server(state, bind="127.0.0.1:0", key_file=state / "other") as process:
        until(process, "ready")
    assert not (state / "other").exists()


def test_a_bad_configuration_is_2(state: Path) -> None:
    with server(state, bind="0.0.0.0:0") as process:
        assert process.wait(20) == 2
        assert process.stderr is not None
        assert "server.tls_cert" in process.stderr.read()


def test_a_taken_port_is_3_and_said(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, server(state, bind=f"127.0.0.1:{taken.getsockname()[1]}") as process:
        assert "cannot listen on" in until(process, "could_not_start")
        assert process.wait(20) == 3


def test_a_first_start_without_a_place_for_its_key_is_3_and_can_be_repeated(state: Path) -> None:
    with server(state, bind="127.0.0.1:0") as process:
        assert "OPENMIOSA_BOOTSTRAP_KEY_FILE" in until(process, "could_not_start")
        assert process.wait(20) == 3
    with server(state, bind="127.0.0.1:0", key_file=state / "key") as process:
        until(process, "ready")
    assert (state / "key").read_text().startswith("msk_live_")
