"""Joins this terminal with one in a sandbox: keys go in raw, output comes out, the window's size follows."""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from typing import Any

from .._sync.sandboxes import Sandbox
from .._sync.terminal import Terminal

CHUNK = 65536


def attach(sandbox: Sandbox, command: str | None, cwd: str | None, env: dict[str, str] | None) -> int:
    """Run until the command ends; gives its exit code."""
    size = shutil.get_terminal_size()
    with sandbox.shell(command, cwd=cwd, env=env, rows=size.lines, cols=size.columns) as terminal, _raw(sys.stdin.fileno()):
        # The pipe wakes the reader of keys for the two things that are no key: the window's new size, and the end.
        wake_read, wake_write = os.pipe()
        with _resized(wake_write):
            keys = threading.Thread(target=_keys, args=(terminal, wake_read), daemon=True)
            keys.start()
            try:
                for output in terminal:
                    _write(output.data)
            finally:
                os.write(wake_write, b"e")
                keys.join()
                os.close(wake_read)
                os.close(wake_write)
        return terminal.exit_code or 0


def _keys(terminal: Terminal, wake: int) -> None:
    """Send what is typed, until the end is signalled or nothing more can be typed."""
    source = sys.stdin.fileno()
    watched = [source, wake]
    with contextlib.suppress(Exception):  # A broken connection is reported by the reader of its output.
        while True:
            ready, _, _ = select.select(watched, [], [])
            if wake in ready:
                if b"e" in os.read(wake, 64):
                    return
                size = shutil.get_terminal_size()
                terminal.resize(size.lines, size.columns)
            if source in ready:
                typed = os.read(source, CHUNK)
                if not typed:
                    terminal.close_stdin()
                    watched.remove(source)
                    continue
                terminal.send(typed)


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _resized(wake: int) -> Iterator[None]:
    def woken(_signal: int, _frame: Any) -> None:
        os.write(wake, b"r")

    before = signal.signal(signal.SIGWINCH, woken)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
