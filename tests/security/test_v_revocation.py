"""V: revocation. What is acknowledged is enforced, under load."""

import bisect
import collections
import json
import os
import time

from ..kit.oracle import Row

# The row says 1,000 rotations at 1,000 requests a second; OPENMIOSA_TEST_ROTATIONS=1000 does them. By default there are
# as many as a small shared machine does in a test's time, and a load that leaves it room for something else.
ROTATIONS = int(os.environ.get("OPENMIOSA_TEST_ROTATIONS", "100"))
WORKERS, PAUSE = 4, 0.01
# Runs inside: keep-alive connections, one request after another, each saying when it began; ends when its input does.
LOAD = """
import http.client, json, os, sys, threading, time
ended, counts, lock = threading.Event(), {}, threading.Lock()
def work():
    connection = http.client.HTTPSConnection("ok.test", timeout=30)
    while not ended.is_set():
        started = time.monotonic_ns()
        try:
            connection.request("GET", "/", headers={"Authorization": "Bearer " + os.environ["PH"], "X-Started": str(started)})
            answer = connection.getresponse(); answer.read(); status = str(answer.status)
        except Exception as error:
            status = type(error).__name__; connection.close()
        with lock:
            counts[status] = counts.get(status, 0) + 1
        time.sleep(%s)
workers = [threading.Thread(target=work) for _ in range(%d)]
[worker.start() for worker in workers]
while not os.path.exists("/workspace/enough"):
    time.sleep(0.05)
ended.set()
[worker.join() for worker in workers]
print(json.dumps(counts))
"""


def test_V_01_no_old_value_leaves_after_a_rotation_is_acknowledged(row: Row):
    row.sandbox.files.write("/workspace/load.py", LOAD % (PAUSE, WORKERS))
    row.may_dial("ok.test")
    version_of = {row.canaries["s1"]: 1}
    acknowledged: list[tuple[int, int]] = []
    process = row.sandbox.processes.start("python3 /workspace/load.py > /workspace/counts")
    row.world.wait(lambda: row.world.internet.dialled(row.mark), "the load")
    for version in range(2, ROTATIONS + 2):
        version_of[row.rotate("s1", watched=version % 25 == 0)] = version
        acknowledged.append((time.monotonic_ns(), version))
    row.sandbox.files.write("/workspace/enough", "")
    row.sandbox.processes.wait(process.pid, timeout=60)
    counts = json.loads(row.sandbox.files.read_text("/workspace/counts"))
    assert set(counts) == {"200"}, counts

    sent = [
        version_and_start(request, version_of) for connection in row.world.internet.dialled(row.mark) for request in connection.requests
    ]
    late = [(version, start) for version, start in sent if version < newest_acknowledged(acknowledged, start)]
    assert late == []
    assert len(sent) == counts["200"]

    row.expect("ok.test", "allow", times=counts["200"])
    row.world.wait(row.world.shipped, "the records", 60)
    recorded = collections.Counter(event.secrets[0].version for event in row.decisions())
    assert recorded == collections.Counter(version for version, _ in sent)


def version_and_start(request, version_of: dict[str, int]) -> tuple[int, int]:
    """Which version a request carried, and when its client began it."""
    return version_of[request.header("Authorization").removeprefix("Bearer ")], int(request.header("X-Started"))


def newest_acknowledged(acknowledged: list[tuple[int, int]], start: int) -> int:
    """The newest version whose acknowledgement came before this moment; they are in order."""
    before = bisect.bisect_left(acknowledged, (start, 0))
    return acknowledged[before - 1][1] if before else 1
