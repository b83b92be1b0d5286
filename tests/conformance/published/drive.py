"""One way to drive both clients: the async one runs on a loop of its own, and is called like the sync one.

So every test is written once, reads like a user's program, and runs against `miosa.Miosa` and `miosa.AsyncMiosa`.
"""

import asyncio
import contextlib
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import miosa

PATIENCE = 60.0


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, awaitable: Any) -> Any:
        """The result of a coroutine, which the loop runs meanwhile."""

        async def waited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result(PATIENCE)

    def each(self, source: Any) -> Iterator[Any]:
        """The items of an async iterator, which is closed when the reader has enough."""
        try:
            while True:
                try:
                    yield self.run(anext(source))
                except StopAsyncIteration:
                    return
        finally:
            self.run(source.aclose())

    def tame(self, value: Any) -> Any:
        """A value of the async client as the sync one would have given it."""
        if inspect.isasyncgen(value):
            return self.each(value)
        if inspect.isawaitable(value):
            return self.tame(self.run(value))
        if isinstance(value, list):
            return [self.tame(item) for item in value]
        if inspect.ismethod(value) or _is_asynchronous(type(value)):
            return Tamed(self, value)
        return value

    def stop(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _is_asynchronous(kind: type) -> bool:
    return kind.__name__.startswith("Async") or any(inspect.iscoroutinefunction(method) for method in vars(kind).values())


class Tamed:
    """An object or a method of the async client."""

    def __init__(self, loop: Loop, inner: Any) -> None:
        self._loop, self._inner = loop, inner

    def __getattr__(self, name: str) -> Any:
        return self._loop.tame(getattr(self._inner, name))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._loop.tame(self._inner(*arguments, **named))


class Follower:
    """Reads a stream in a thread until it has seen enough."""

    def __init__(self, open_stream: Callable[[], Iterator[Any]], enough: Callable[[list[Any]], bool]) -> None:
        self.seen: list[Any] = []
        self._open, self._enough = open_stream, enough
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def result(self) -> list[Any]:
        """What it saw; raises when that was not enough."""
        self._thread.join(PATIENCE)
        if self._failure is not None:
            raise self._failure
        assert self.done, f"the stream goes on after {PATIENCE:.0f} s with {self.seen}"
        assert self._enough(self.seen), f"the stream ended with {self.seen}"
        return self.seen

    def _read(self) -> None:
        try:
            with contextlib.closing(self._open()) as stream:  # type: ignore[type-var]
                for item in stream:
                    self.seen.append(item)
                    if self._enough(self.seen):
                        return
        except BaseException as error:  # told to whoever asks for the result
            self._failure = error


def until(condition: Callable[[], bool], what: str, patience: float = 30.0) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        time.sleep(0.02)


@contextlib.contextmanager
def connected(kind: str, loop: Loop, **options: Any) -> Iterator[Any]:
    """A client of this kind; without options it reads the environment."""
    if kind == "sync":
        plain = miosa.Miosa(**options)
        try:
            yield plain
        finally:
            plain.close()
    else:
        made = miosa.AsyncMiosa(**options)
        try:
            yield loop.tame(made)
        finally:
            loop.run(made.close())
