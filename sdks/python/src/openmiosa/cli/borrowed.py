"""A server for one run, where none is known and openmiosa-server is installed here."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import IO

from ..errors import ConfigurationError
from . import host
from .context import NoServer, Place, place
from .options import Common

# A first start prepares templates and keys.
PATIENCE = 90.0
END_SECONDS = 60.0
# How its place says where it comes from.
OWN = "a server for this run"
NEITHER = (
    "no server is known, and openmiosa-server is not installed here. Either `pip install openmiosa-server` and run this again, "
    "or name a server: `openmiosa context add NAME URL`, or MIOSA_API_KEY and MIOSA_BASE_URL"
)


@contextlib.contextmanager
def server(common: Common) -> Iterator[Place]:
    """The server that the command line means; else one that lives as long as this block."""
    try:
        chosen = place(common.context)
    except NoServer:
        if not host.installed("up"):
            raise NoServer(NEITHER) from None
        print("No server is known, so one is started for this run (`openmiosa up` starts one to keep).", file=sys.stderr, flush=True)
        with _own() as chosen:
            yield chosen
        return
    yield chosen


@contextlib.contextmanager
def _own() -> Iterator[Place]:
    with tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "openmiosa.cli", "up", "--ephemeral"]
        # A session of its own: Ctrl-C is for the command inside. It ends when its input does, so also when we are killed.
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True)
        try:
            yield _greeting(started, said)
        finally:
            _end(started)


def _greeting(started: "subprocess.Popen[bytes]", said: IO[str]) -> Place:
    """Wait for the one line that it prints when it is ready."""
    assert started.stdout is not None
    deadline, text = time.monotonic() + PATIENCE, b""
    while b"\n" not in text:
        ready, _, _ = select.select([started.stdout], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(started.stdout.fileno(), 65536) if ready else b""
        if not part:
            said.seek(0)
            why = said.read()[-2000:].strip() or "it said nothing"
            raise ConfigurationError(f"the server for this run did not start: {why}\n`openmiosa host` says what this machine lacks")
        text += part
    greeting = json.loads(text)
    return Place(greeting["base_url"], greeting["api_key"], OWN)


def _end(started: "subprocess.Popen[bytes]") -> None:
    assert started.stdin is not None
    with contextlib.suppress(OSError):
        started.stdin.close()
    try:
        started.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
