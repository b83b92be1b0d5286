"""How this process is told to end, so that what it has made is taken down first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Ended(BaseException):
    """A signal asked this process to end; no error, and nobody may swallow it on the way to the exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def unwinding(*numbers: int) -> Iterator[None]:
    """Let these signals raise Ended, as Ctrl-C raises KeyboardInterrupt."""

    def ended(number: int, _frame: Any) -> None:
        raise Ended(number)

    with contextlib.ExitStack() as stack:
        for number in numbers:
            stack.enter_context(handled(number, ended))
        yield


@contextlib.contextmanager
def handled(number: int, handler: Any) -> Iterator[None]:
    """A handler of a signal for a while; elsewhere than in the main thread there can be none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
