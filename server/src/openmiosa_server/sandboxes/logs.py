"""What all processes of a sandbox say, together: the last lines, or as they come."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..errors import OpenMiosaError
from ..identity import Principal, RequestInfo
from .backends import Output
from .execution import Execution, Running
from .lifecycle import Happening
from .types import Sandbox

_WAITING = 256  # pieces of output between a slow reader and the processes


@dataclass(frozen=True, slots=True)
class Said:
    """A line, and whose it is."""

    running: Running
    line: str


class Logs:
    """Reads over all processes."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    async def last(self, principal: Principal, key: str, lines: int, *, request: RequestInfo | None = None) -> list[Said]:
        """The last lines that are kept, in the order in which their processes were started."""
        said: list[Said] = []
        for running, output in await self._execution.everything(principal, key, request=request):
            said += [Said(running, line) for line in output.decode(errors="replace").splitlines()]
        return said[-lines:]

    async def follow(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> AsyncIterator[tuple[Running, Output]]:
        """What the running processes said and say, and those say that are started later; until the sandbox ends."""
        sandbox = await self._execution.look(principal, key, "sandbox:log:follow", request)
        happenings = self._execution.lifecycle.follow(principal, sandbox.id)
        started = [running for running in await self._execution.all_of(sandbox) if running.process["state"] == "running"]
        return self._following(sandbox, started, happenings)

    async def _following(
        self, sandbox: Sandbox, started: list[Running], happenings: AsyncIterator[Happening]
    ) -> AsyncIterator[tuple[Running, Output]]:
        queue: asyncio.Queue[tuple[Running, Output] | None] = asyncio.Queue(_WAITING)
        tasks: set[asyncio.Task[None]] = set()
        known: set[str] = set()

        def begin(running: Running) -> None:
            if running.id not in known:
                known.add(running.id)
                tasks.add(asyncio.create_task(self._one(running, queue)))

        async def later() -> None:
            async for told in happenings:
                if told["action"] == "sandbox.exec.started":
                    begin(await self._execution.one(sandbox, told["metadata"]["process"]))
                elif told["action"] == "sandbox.destroyed":
                    await queue.put(None)

        for running in started:
            begin(running)
        tasks.add(asyncio.create_task(later()))
        try:
            while (piece := await queue.get()) is not None:
                yield piece
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await happenings.aclose()  # type: ignore[attr-defined]

    async def _one(self, running: Running, queue: asyncio.Queue[tuple[Running, Output] | None]) -> None:
        try:
            async with self._execution.follow(running, kill=False) as output:
                async for chunk in output:
                    await queue.put((running, chunk))
        except OpenMiosaError:
            return  # the runtime or the sandbox went away, which the stream's reader learns by its end
