"""Audit tail: from the upstream's first response byte to the event at a client of the API."""

import contextlib
import threading
import time
from typing import Any

from tests.kit.system import World
from tests.kit.upstreams import Request, Response

from .figures import figure, percentile

SAMPLES = 200


def measure(world: World, scale: float) -> dict[str, Any]:
    """One call after another; the upstream notes when it answers, the tail when it hears of it."""
    count = max(20, int(SAMPLES * scale))
    answered: dict[str, float] = {}
    heard: dict[str, float] = {}
    listening, complete = threading.Event(), threading.Event()

    def answer(request: Request) -> Response:
        answered[request.target] = time.perf_counter()
        return Response()

    def listen(sandbox_id: str) -> None:
        with contextlib.closing(world.connect()) as client, client.sandboxes.get(sandbox_id).audit.tail() as events:
            for event in events:
                heard[event.path or ""] = time.perf_counter()
                listening.set()
                if event.path == f"/{count}":
                    complete.set()
                    return

    world.internet.answer("ok.test", answer)
    sandbox = world.sandbox()
    watcher = threading.Thread(target=listen, args=(sandbox.id,), daemon=True)
    watcher.start()
    try:
        # Until the tail is there: calls whose events nobody waits for.
        world.wait(lambda: sandbox.exec("curl -s https://ok.test/warm-up") and listening.is_set(), "the tail")
        sandbox.exec(f"for n in $(seq 1 {count}); do curl -s https://ok.test/$n; sleep 0.02; done", timeout=300).check()
        complete.wait(20)
    finally:
        sandbox.destroy()
        watcher.join(10)
    late = [(heard[path] - moment) * 1000 for path, moment in answered.items() if path in heard and path != "/warm-up"]
    return {
        "tail.p50_ms": figure(percentile(late, 0.5), "ms, upstream's first byte to the client", len(late)),
        "tail.p99_ms": figure(percentile(late, 0.99), "ms, upstream's first byte to the client", len(late)),
    }
