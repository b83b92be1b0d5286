"""When each sandbox was last used, and what uses it right now; in memory, since a restart may well count as a use."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Activity:
    """Last uses on the monotonic clock."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: dict[str, float] = {}
        self._busy: Counter[str] = Counter()

    def touch(self, sandbox_id: str) -> None:
        """Note a use."""
        self._last[sandbox_id] = time.monotonic()

    @contextmanager
    def use(self, sandbox_id: str) -> Iterator[None]:
        """A use that lasts: an exec, a terminal, a transfer."""
        self._busy[sandbox_id] += 1
        try:
            yield
        finally:
            self._busy[sandbox_id] -= 1
            self.touch(sandbox_id)

    def idle_for(self, sandbox_id: str) -> float:
        """Seconds since the last use; zero while one lasts."""
        if self._busy[sandbox_id] > 0:
            return 0.0
        return time.monotonic() - self._last.get(sandbox_id, self._began)

    def forget(self, sandbox_id: str) -> None:
        """Drop what is known."""
        self._last.pop(sandbox_id, None)
        self._busy.pop(sandbox_id, None)
