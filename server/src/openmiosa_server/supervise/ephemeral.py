"""`openmiosa up --ephemeral`: a whole system for one program that started it, which leaves nothing behind.

It ends when its standard input closes, on SIGINT, SIGTERM or SIGHUP, and when the program that started it dies. What a
SIGKILL leaves of it is removed by the next one.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit

from .. import settings as configuration
from ..templates import TemplateStore
from . import layout
from .layout import Layout
from .programs import CouldNotStart, binary, end_leftovers, programs
from .up import address, run, verify, write_egress_config

PREFIX = "openmiosa-ephemeral-"


async def ephemeral(config: Path | None) -> int:
    """Run until nobody needs it any more; the answer of `up`."""
    stop = asyncio.Event()
    _end_with_our_maker(stop)
    given = _given(config)
    _forget_the_operators_settings()
    _examine_the_host()
    await _sweep()
    with _folder() as places, _port() as listener:
        places.config.write_text(tomlkit.dumps(_with_port(given, listener.getsockname()[1])))
        settings = configuration.load(places.config, places.state)
        layout.prepare(places)
        TemplateStore(places.templates, settings.sandboxes.default_template).prepare()
        write_egress_config(places, settings)
        base_url = address(settings)
        children = programs(places, places.config, base_url, verify(settings), listener.fileno())
        return await run(places, children, base_url, lambda: _announce(places, base_url), stop=stop, say=_note)


def _announce(places: Layout, base_url: str) -> None:
    """The one line on standard output."""
    key = places.bootstrap_key.read_text().strip()
    places.bootstrap_key.unlink()
    print(json.dumps({"base_url": base_url, "api_key": key, "state": str(places.state)}), flush=True)


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _end_with_our_maker(stop: asyncio.Event) -> None:
    """Set `stop` when standard input closes, when the program that started this one dies, or on SIGHUP."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, stop.set)
    maker = os.getppid()
    with contextlib.suppress(ProcessLookupError):
        loop.add_reader(os.pidfd_open(maker), stop.set)
    if os.getppid() != maker:
        stop.set()

    def closed() -> None:
        _note("standard input is closed: ending")
        stop.set()

    def watch() -> None:
        # In a thread, since not everything that can be standard input can be waited for.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # The loop may have ended by itself.
            loop.call_soon_threadsafe(closed)

    threading.Thread(target=watch, daemon=True).start()


def _examine_the_host() -> None:
    """Say at once what every sandbox would fail on."""
    seen = subprocess.run([binary("cell"), "check"], check=False, capture_output=True, text=True)
    if seen.returncode != 0:
        raise CouldNotStart(f"This machine cannot run sandboxes:\n{seen.stdout}{seen.stderr}")


def _given(config: Path | None) -> dict[str, Any]:
    """The settings of `--config`."""
    if config is None:
        return {}
    try:
        return tomllib.loads(config.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise configuration.BadSettings(f"{config}: {error}") from error


def _with_port(given: dict[str, Any], port: int) -> dict[str, Any]:
    server = given.get("server", {})
    if not isinstance(server, dict):
        raise configuration.BadSettings("server: a section is expected")
    return {**given, "server": {**server, "bind": f"127.0.0.1:{port}"}}


def _forget_the_operators_settings() -> None:
    """Settings in the environment are those of a system that stays: its database is not one to play with."""
    for name in [name for name in os.environ if name.startswith(configuration.PREFIX) and "__" in name]:
        del os.environ[name]


@contextlib.contextmanager
def _port() -> Iterator[socket.socket]:
    """A bound port of loopback, handed to the server as it is, so that nobody can take it in between."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@contextlib.contextmanager
def _folder() -> Iterator[Layout]:
    """A state folder with its lock held, removed at the end."""
    draft = Path(tempfile.mkdtemp(prefix="openmiosa-new-"))
    lock = os.open(layout.layout(draft).lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Under its final name it is locked from the first moment on, so that `_sweep` of another one lets it be.
    state = draft.rename(draft.with_name(draft.name.replace("openmiosa-new-", PREFIX)))
    try:
        yield layout.layout(state)
    finally:
        _remove(layout.layout(state))
        os.close(lock)


async def _sweep() -> None:
    """Remove what ones that were killed left behind: their programs, their folders."""
    for state in _earlier():
        places = layout.layout(state)
        try:
            lock = os.open(places.lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # Another user's, or one that is being removed.
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                await end_leftovers(places)
                _remove(places)
        except BlockingIOError:
            continue
        except CouldNotStart as error:
            _note(str(error))
        finally:
            os.close(lock)


def _earlier() -> list[Path]:
    """Folders of ours. Anybody can put a link there that leads to an installation that stays, or a folder that says what to end."""
    return [path for path in Path(tempfile.gettempdir()).glob(PREFIX + "*") if _is_ours(path)]


def _is_ours(path: Path) -> bool:
    try:
        seen = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def _remove(places: Layout) -> None:
    for folder in (places.run, places.state):
        shutil.rmtree(folder, ignore_errors=True)
