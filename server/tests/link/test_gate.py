"""The gate between publishes and a resync."""

import asyncio

from openmiosa_server.link.gate import Gate


async def test_a_resync_waits_for_publishes_and_goes_before_later_ones():
    gate, order = Gate(), []
    first_in, let_go = asyncio.Event(), asyncio.Event()

    async def publish(name):
        async with gate.shared():
            order.append(name)
            first_in.set()
            await let_go.wait()

    async def resync():
        async with gate.exclusive():
            order.append("resync")

    first = asyncio.create_task(publish("first"))
    await first_in.wait()
    others = [asyncio.create_task(resync()), asyncio.create_task(publish("later"))]
    await asyncio.sleep(0)
    let_go.set()
    await asyncio.gather(first, *others)
    assert order == ["first", "resync", "later"]


async def test_a_cancelled_resync_leaves_the_gate_open():
    gate = Gate()
    async with gate.shared():
        waiting = asyncio.create_task(gate.exclusive().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), gate.shared():
        pass
