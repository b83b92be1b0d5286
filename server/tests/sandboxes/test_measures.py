"""What a sandbox uses, says, keeps and becomes."""

import json
from typing import Any

from .conftest import Box


def test_what_is_used_right_now_is_measured(box: Box):
    before = box.get("/metrics").json()["data"]
    box.run('python3 -c "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"')
    after = box.get("/metrics", params={"window": "5m"}).json()["data"]
    assert after["cpu_usec"] - before["cpu_usec"] >= 350_000
    assert 0 < after["memory_bytes"] <= after["memory_limit_bytes"]
    assert after["calls"] == {"total": 0, "allowed": 0, "refused": 0, "failed": 0, "bytes_in": 0, "bytes_out": 0}


def test_usage_counts_calls_within_the_window(box: Box):
    box.run("python3 -c \"import socket; socket.create_connection(('refused.test', 9), 5)\" || true")
    box.run("curl -s -m 5 http://nowhere.invalid/ || true")
    used = box.get("/usage", params={"window": "1h"}).json()["data"]
    assert used["calls"]["total"] >= 1
    assert used["running_sec"] >= 0
    assert box.get("/usage", params={"window": "soon"}).json()["code"] == "BAD_TIME"


def test_resources_say_what_may_change(box: Box):
    told = box.get("/resources").json()["data"]
    assert set(told["resources"]) == {"cpu", "memory_mb", "disk_size_mb"}
    assert told["capabilities"]["live_cpu"] is False
    assert told["in_use"]["tasks"] >= 1


def test_artifacts_are_files_previews_and_snapshots(box: Box):
    assert box.get("/artifacts").json()["data"]["artifacts"]["files"] == []
    box.run("mkdir -p artifacts; echo done > artifacts/report.md")
    opened = box.post("/previews", json={"port": 9000}).json()["data"]
    told = box.get("/artifacts").json()["data"]
    assert [entry["path"] for entry in told["artifacts"]["files"]] == ["/workspace/artifacts/report.md"]
    assert told["preview"]["url"] == opened["url"]


def test_the_last_lines_of_all_processes_are_told_together(box: Box):
    box.run("echo one; echo two >&2")
    box.post("/processes", json={"command": "echo three; exec sleep 60", "name": "server"})
    box.run("while ! pgrep -x sleep; do :; done")
    told = box.get("/logs", params={"lines": 3}).json()["data"]
    assert "three\n" in told["logs"]
    assert {"name": "server", "line": "three"} in [{name: line[name] for name in ("name", "line")} for line in told["lines"]]
    assert len(told["lines"]) == 3


def test_what_processes_say_is_followed_also_of_those_that_start_later(box: Box):
    box.post("/processes", json={"command": "echo early; exec sleep 60", "name": "first"})
    with box.client.stream("GET", box.at("/logs/stream")) as stream:
        lines = stream.iter_lines()
        told: list[dict[str, Any]] = []
        while not told:
            told += [json.loads(line[6:]) for line in [next(lines)] if line.startswith("data: ")]
        assert (told[0]["line"], told[0]["name"]) == ("early", "first")
        box.post("/processes", json={"command": "echo late", "name": "second"})
        while told[-1]["type"] != "exit":
            told += [json.loads(line[6:]) for line in [next(lines)] if line.startswith("data: ")]
    assert [(one.get("line"), one["name"]) for one in told[1:]] == [("late", "second"), (None, "second")]


def test_a_fork_has_of_its_own_what_is_asked_for(box: Box):
    box.run("echo kept > f")
    wanted = {"name": f"{box.name}-copy", "metadata": {"attempt": 2}, "external_project_id": "p9", "timeout_sec": 900, "env": {"MODE": "x"}}
    fork = box.post("/fork", json=wanted).json()["data"]
    try:
        assert {name: fork[name] for name in wanted if name != "env"} == {name: wanted[name] for name in wanted if name != "env"}
        done = box.client.post(f"/sandboxes/{fork['id']}/exec", json={"command": "cat f; echo $MODE"}).json()["data"]
        assert done["stdout"] == "kept\nx\n"
    finally:
        box.client.delete(f"/sandboxes/{fork['id']}")


def test_a_sandbox_is_resumed_with_more_variables(box: Box):
    box.post("/pause")
    assert box.post("/resume", json={"env": {"STAGE": "two"}}).json()["data"]["state"] == "running"
    assert box.run("echo $STAGE")["stdout"] == "two\n"


def test_a_sandbox_is_created_from_a_snapshot_of_another(box: Box, make: Any):
    box.run("echo kept > f")
    kept = box.post("/snapshots").json()["data"]
    assert make(snapshot_id=kept["id"]).run("cat f")["stdout"] == "kept\n"


def test_persistence_is_changed(box: Box):
    assert box.client.patch(box.at(""), json={"persistent": False}).json()["data"]["persistent"] is False


async def test_a_snapshot_goes_when_its_time_is_over(box: Box, eventually: Any):
    kept = box.post("/snapshots", json={"retention_seconds": 1, "expiration_days": 3}).json()["data"]
    assert kept["expires_at"] is not None
    for_good = box.post("/snapshots", json={"keep": True}).json()["data"]
    assert (for_good["keep"], for_good["expires_at"]) == (True, None)
    await eventually(lambda: [one["id"] for one in box.get("/snapshots").json()["data"]] == [for_good["id"]], within=20)


def test_a_snapshot_is_kept_for_good_or_until_a_time_and_not_both(box: Box):
    assert box.post("/snapshots", json={"keep": True, "retention_seconds": 5}).status_code == 422


def test_only_so_many_snapshots_stay_as_the_sandbox_asks(make: Any):
    box = make(metadata={"keep_last_snapshots": 2})
    pinned = box.post("/snapshots", json={"keep": True}).json()["data"]["id"]
    made = [box.post("/snapshots").json()["data"]["id"] for _ in range(3)]
    assert {one["id"] for one in box.get("/snapshots").json()["data"]} == {pinned, *made[1:]}


def test_the_older_snapshot_route_answers_the_id_alone(box: Box):
    made = box.post("/snapshot", json={})
    assert (made.status_code, made.json()["snapshot_id"]) == (200, box.get("/snapshots").json()["data"][0]["id"])


def test_a_fork_leaves_no_snapshot_that_nobody_asked_for(box: Box):
    fork = box.post("/fork").json()["data"]
    box.client.delete(f"/sandboxes/{fork['id']}")
    assert all(one["expires_at"] is not None for one in box.get("/snapshots").json()["data"])


def test_sharing_a_preview_is_refused_with_what_to_do(box: Box):
    opened = box.post("/previews", json={"port": 9001}).json()["data"]
    answers = [box.post(path) for path in (f"/previews/{opened['id']}/share", "/shares", "/preview-token")]
    answers.append(box.client.delete(box.at(f"/previews/{opened['id']}/share")))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(501, "NOT_SUPPORTED")}
    assert all("ssh -L" in answer.json()["message"] for answer in answers)


def test_a_command_that_is_asked_for_twice_under_one_key_runs_once(box: Box):
    first, again = [
        box.post("/exec", json={"command": "echo ran >> log; date +%N"}, headers={"Idempotency-Key": "run-1"}) for _ in range(2)
    ]
    assert again.content == first.content
    assert box.run("cat log")["stdout"] == "ran\n"


def test_a_key_of_one_user_forks_into_no_other_workspace(make: Any):
    box = make(external_user_id="u1", external_workspace_id="w1")
    key = box.client.post("/api-keys", json={"name": "u1", "external_user_id": "u1"}).json()["data"]
    kept = box.post("/snapshots").json()["data"]
    headers = {"Authorization": f"Bearer {key['token']}"}
    fork = box.post("/fork", json={"external_workspace_id": "w2"}, headers=headers)
    made = box.client.post("/sandboxes", json={"snapshot_id": kept["id"], "workspace_id": "w2"}, headers=headers)
    assert [(answer.status_code, answer.json()["code"]) for answer in (fork, made)] == [(403, "FORBIDDEN")] * 2
    box.client.delete(f"/api-keys/{key['id']}")
