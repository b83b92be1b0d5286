"""Lists that may be long: pages are fetched as they are needed."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, TypeVar

from .. import _envelope
from .transport import AsyncTransport

T = TypeVar("T")


class AsyncPages(Generic[T]):
    """Iterate over it, as often as you like; each time it starts from the first page."""

    def __init__(self, transport: AsyncTransport, path: str, params: Mapping[str, Any], read: Callable[[Any], T]) -> None:
        self._transport = transport
        self._path = path
        self._params = params
        self._read = read

    async def __aiter__(self) -> AsyncIterator[T]:
        params = dict(self._params)
        while True:
            body = await self._transport.request("GET", self._path, params=params)
            for item in _envelope.many(body):
                yield self._read(item)
            cursor = _envelope.next_cursor(body)
            if cursor is None or cursor == params.get("cursor"):
                return
            params["cursor"] = cursor

    async def all(self) -> list[T]:
        """Everything, as a list."""
        return [item async for item in self]

    async def first(self) -> T | None:
        """The first item, if there is one."""
        async for item in self:
            return item
        return None
