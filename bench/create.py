"""Create → first command's output, through the API as a client sees it."""

import time
from typing import Any

from tests.kit.system import World

from .figures import figure, percentile

SAMPLES = 100


def measure(world: World, scale: float) -> dict[str, Any]:
    """Sandboxes made one after another; each runs one command and is removed outside the clock."""
    created, answered = [], []
    for number in range(max(5, int(SAMPLES * scale))):
        began = time.perf_counter()
        sandbox = world.client.sandboxes.create(name=f"bench-{number}")
        ready = time.perf_counter()
        said = sandbox.exec(["/bin/echo", "hi"]).stdout
        done = time.perf_counter()
        if said != "hi\n":
            raise RuntimeError(f"the command said {said!r}")
        created.append((ready - began) * 1000)
        answered.append((done - began) * 1000)
        sandbox.destroy()
    count = len(answered)
    return {
        "create.p50_ms": figure(percentile(answered, 0.5), "ms, create to first output", count),
        "create.p99_ms": figure(percentile(answered, 0.99), "ms, create to first output", count),
        "create.call_p50_ms": figure(percentile(created, 0.5), "ms, the create call alone", count),
    }
