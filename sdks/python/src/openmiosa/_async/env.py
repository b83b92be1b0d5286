"""Variables of a sandbox. Its agent reads them: for what it must not know there are secrets."""

import builtins
from collections.abc import Mapping

from .. import _envelope, _wire
from ..models import Variable
from .transport import AsyncTransport


class AsyncEnv:
    """The variables of one sandbox. Processes that run keep those that they were started with."""

    def __init__(self, transport: AsyncTransport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox = sandbox_id

    async def list(self) -> builtins.list[Variable]:
        """Its own variables; those with placeholders are listed by `secrets.bindings()`."""
        return self._read(await self._transport.request("GET", self._path()))

    async def set(self, variables: Mapping[str, str]) -> builtins.list[Variable]:
        """Give it these variables instead of those that it has."""
        body = {"vars": [{"key": name, "value": value} for name, value in variables.items()]}
        return self._read(await self._transport.request("PUT", self._path(), json=body))

    async def delete(self, name: str) -> builtins.list[Variable]:
        """Take one away."""
        return self._read(await self._transport.request("DELETE", self._path(name)))

    def _read(self, reply: object) -> builtins.list[Variable]:
        return [Variable.from_json(item) for item in _envelope.many(reply)]

    def _path(self, *more: str) -> str:
        return _wire.path("sandboxes", self._sandbox, "env", *more)
