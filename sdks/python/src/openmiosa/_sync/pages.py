# Generated from _async/pages.py by tools/async_to_sync.py. Edit that file, then run that program.
"""Lists that may be long: pages are fetched as they are needed."""

from collections.abc import Iterator, Callable, Mapping
from typing import Any, Generic, TypeVar

from .. import _envelope
from .transport import Transport

T = TypeVar("T")


class Pages(Generic[T]):
    """Iterate over it, as often as you like; each time it starts from the first page."""

    def __init__(self, transport: Transport, path: str, params: Mapping[str, Any], read: Callable[[Any], T]) -> None:
        self._transport = transport
        self._path = path
        self._params = params
        self._read = read

    def __iter__(self) -> Iterator[T]:
        params = dict(self._params)
        while True:
            body = self._transport.request("GET", self._path, params=params)
            for item in _envelope.many(body):
                yield self._read(item)
            cursor = _envelope.next_cursor(body)
            if cursor is None or cursor == params.get("cursor"):
                return
            params["cursor"] = cursor

    def all(self) -> list[T]:
        """Everything, as a list."""
        return [item for item in self]

    def first(self) -> T | None:
        """The first item, if there is one."""
        for item in self:
            return item
        return None
