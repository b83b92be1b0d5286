"""Joins this terminal, or this process's streams, with a command in a sandbox: input goes in as it is, output comes out."""

import contextlib
import os
import queue
import select
import shlex
import shutil
import signal
import sys
import termios
import threading
import time
import tty as teletype
from collections.abc import Iterator, Sequence
from typing import Any

from .._sync.sandboxes import Sandbox
from .._sync.terminal import Terminal
from ..models import TerminalOutput
from .endings import Ended, handled
from .screen import Screen

CHUNK = 65536
INTERRUPT = b"\x03"
# So soon after the first, a second Ctrl-C means: end it all.
TWICE_SECONDS = 2.0
JOIN_SECONDS = 1.0
STEP_SECONDS = 0.2
# Pieces of output that may wait for a slow terminal before the command waits too.
HELD = 64

Heard = queue.Queue[TerminalOutput | BaseException | None]


def line(command: Sequence[str]) -> str | None:
    """What is typed after `--`: one word is a shell's line, several are run as they are."""
    if not command:
        return None
    return command[0] if len(command) == 1 else shlex.join(command)


def attach(
    sandbox: Sandbox,
    command: str | None,
    cwd: str | None,
    env: dict[str, str] | None,
    *,
    tty: bool = True,
    stdin: bool = True,
    screen: Screen | None = None,
    ends: bool = False,
) -> int:
    """Run until the command ends; gives its exit code. With `ends` a second Ctrl-C ends us instead of going to the command."""
    shown = screen or Screen(raw=tty)
    size = shutil.get_terminal_size()
    guard = _raw(sys.stdin.fileno()) if tty else contextlib.nullcontext()
    heard: Heard = queue.Queue(HELD)
    with sandbox.shell(command, cwd=cwd, env=env, rows=size.lines, cols=size.columns, tty=tty) as terminal, guard, _Wake() as wake:
        threading.Thread(target=_output, args=(terminal, heard), daemon=True).start()
        keys = threading.Thread(target=_input, args=(terminal, wake, stdin, heard if ends and tty else None), daemon=True)
        with _interrupts(wake) if not tty else wake.on(signal.SIGWINCH, b"r"):
            keys.start()
            try:
                for output in _until_the_end(heard):
                    shown.command(output.stream, output.data)
            finally:
                wake.send(b"e")
                # Sending may wait for a command that reads nothing; closing the connection frees it.
                keys.join(JOIN_SECONDS)
        if terminal.lost:
            lost = f"[openmiosa] {terminal.lost:,} bytes of output came faster than they could be read, and are lost: write them to a file"
            shown.line(f"{lost} inside and fetch it with `openmiosa cp`")
        return terminal.exit_code or 0


def _output(terminal: Terminal, heard: Heard) -> None:
    """What the command says, then its end: None, or the error that it was."""
    try:
        for output in terminal:
            heard.put(output)
        heard.put(None)
    except Exception as error:
        heard.put(error)


def _until_the_end(heard: Heard) -> Iterator[TerminalOutput]:
    """Waits in short steps: a signal that comes just before a wait begins is seen only when that wait is over."""
    while True:
        try:
            item = heard.get(timeout=STEP_SECONDS)
        except queue.Empty:
            continue
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item


class _Wake:
    """A pipe that wakes the reader of the input for what is no input: the window's new size, an interrupt, the end."""

    def __enter__(self) -> "_Wake":
        self.reader, self._writer = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.reader)
        os.close(self._writer)

    def send(self, what: bytes) -> None:
        os.write(self._writer, what)

    @contextlib.contextmanager
    def on(self, number: int, what: bytes) -> Iterator[None]:
        """Send this at every such signal."""
        with handled(number, lambda *_: self.send(what)):
            yield


@contextlib.contextmanager
def _interrupts(wake: _Wake) -> Iterator[None]:
    """The first Ctrl-C goes to the command, the second ends everything."""
    seen = False

    def interrupted(number: int, _frame: Any) -> None:
        nonlocal seen
        if seen:
            raise Ended(number)
        seen = True
        wake.send(b"i")

    with handled(signal.SIGINT, interrupted):
        yield


def _input(terminal: Terminal, wake: _Wake, stdin: bool, ends: Heard | None) -> None:
    """Send what is typed, until the end is signalled or nothing more can be typed; with `ends` a double Ctrl-C is said there."""
    source = sys.stdin.fileno() if stdin else -1
    watched = [wake.reader, *([source] if stdin else [])]
    with contextlib.suppress(Exception):  # A broken connection is reported by the reader of its output.
        if not stdin:
            terminal.close_stdin()
        interrupted = -TWICE_SECONDS
        while True:
            ready, _, _ = select.select(watched, [], [])
            if wake.reader in ready and not _obeyed(terminal, os.read(wake.reader, 64)):
                return
            if source in ready:
                typed = os.read(source, CHUNK)
                if not typed:
                    terminal.close_stdin()
                    watched.remove(source)
                    continue
                if ends is not None and INTERRUPT in typed:
                    now = time.monotonic()
                    if now - interrupted < TWICE_SECONDS or typed.count(INTERRUPT) > 1:
                        ends.put(Ended(signal.SIGINT))
                        return
                    interrupted = now
                terminal.send(typed)


def _obeyed(terminal: Terminal, signals: bytes) -> bool:
    """Do what the pipe says; whether to go on."""
    if b"e" in signals:
        return False
    if b"r" in signals:
        size = shutil.get_terminal_size()
        terminal.resize(size.lines, size.columns)
    if b"i" in signals:
        terminal.send_signal("SIGINT")
    return True


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    teletype.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
