"""Several streams as one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any


async def together(*sources: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """All of them as they come, until one ends."""
    waiting = {asyncio.ensure_future(anext(source, None)): source for source in sources}
    try:
        while True:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                source, told = waiting.pop(task), task.result()
                if told is None:
                    return
                yield told
                waiting[asyncio.ensure_future(anext(source, None))] = source
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for source in sources:
            await source.aclose()  # type: ignore[attr-defined]
