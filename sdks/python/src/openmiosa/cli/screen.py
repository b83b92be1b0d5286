"""One terminal that a command and our own lines share: ours stand on lines of their own, never inside the command's."""

import os
import re
import sys
import threading
from collections import deque
from typing import TextIO

# A full-screen program is up between these two (xterm's alternate screen); lines of ours would tear it.
_ALTERNATE = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
_HELD = 200


def coloured(stream: TextIO) -> bool:
    """Whether colours are welcome there."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """Writes what the command says, and between its lines what we say."""

    def __init__(self, *, raw: bool = False) -> None:
        self._lock = threading.Lock()
        self._raw = raw
        self._inside_line = False
        self._full = False
        self._held: deque[str] = deque(maxlen=_HELD)
        self._shared = sys.stderr.isatty()

    def command(self, stream: str, data: bytes) -> None:
        """Output of the command, as it is."""
        target = sys.stderr if stream == "stderr" else sys.stdout
        with self._lock:
            target.flush()
            target.buffer.write(data)
            target.buffer.flush()
            self._follow(data, target)

    def line(self, text: str) -> None:
        """A line of ours, on standard error; kept until a full-screen program has gone."""
        with self._lock:
            self._held.append(text)
            if not self._full:
                self._release()

    def close(self) -> None:
        """Say what is still kept; the terminal is an ordinary one again."""
        with self._lock:
            self._full = False
            self._release()
            self._raw = False
            if self._inside_line:
                self._start_line()

    def _follow(self, data: bytes, target: TextIO) -> None:
        """Remember where the command left the cursor."""
        if not data or not (target.isatty() if self._shared else target is sys.stderr):
            return
        self._inside_line = not data.endswith(b"\n")
        for found in _ALTERNATE.finditer(data):
            self._full = found[1] == b"h"
        if not self._full:
            self._release()

    def _release(self) -> None:
        while self._held:
            if self._inside_line:
                self._start_line()
            sys.stderr.write(self._held.popleft() + ("\r\n" if self._raw else "\n"))
        sys.stderr.flush()

    def _start_line(self) -> None:
        sys.stderr.write("\r\n" if self._raw else "\n")
        sys.stderr.flush()
        self._inside_line = False
