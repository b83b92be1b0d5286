"""The life of a sandbox through the API, on the real runtime."""

from typing import Any

import httpx2
from openmiosa_server.testing import System

from .conftest import Box


def test_creation_answers_when_it_runs_and_has_a_policy(client: httpx2.Client, make: Any) -> None:
    answer = client.post("/sandboxes", json={"template_id": "miosa-sandbox"})
    record = answer.json()["data"]
    assert (answer.status_code, record["state"], record["ready"]) == (201, "running", True)
    assert record["name"]
    policies = client.get("/egress/policies", params={"resource_id": record["id"]}).json()["policies"]
    assert [policy["mode"] for policy in policies] == ["audit_only"]
    assert client.delete(f"/sandboxes/{record['id']}").status_code == 204


def test_a_name_is_taken_while_its_sandbox_lives_and_free_afterwards(client: httpx2.Client, box: Box) -> None:
    again = client.post("/sandboxes", json={"name": box.name})
    assert (again.status_code, again.json()["code"]) == (409, "NAME_TAKEN")
    assert client.delete(f"/sandboxes/{box.name}").status_code == 204
    assert client.post("/sandboxes", json={"name": box.name}).status_code == 201
    assert client.delete(f"/sandboxes/{box.name}").status_code == 204


def test_a_repeated_creation_with_its_key_is_one_sandbox(client: httpx2.Client) -> None:
    first, again = [client.post("/sandboxes", json={}, headers={"Idempotency-Key": "create-once"}) for _ in "12"]
    assert first.json() == again.json()
    assert client.delete(f"/sandboxes/{first.json()['data']['id']}").status_code == 204


def test_it_is_found_by_id_by_name_and_in_the_list(client: httpx2.Client, box: Box) -> None:
    for path in (f"/sandboxes/{box.id}", f"/sandboxes/{box.name}", f"/sandboxes/by-name/{box.name}"):
        assert client.get(path).json()["data"]["id"] == box.id
    assert box.id in [record["id"] for record in client.get("/sandboxes").json()["data"]]


def test_readiness_says_ready_in_both_forms(box: Box) -> None:
    said = box.get("/readiness").json()["data"]
    assert (said["ready"], said["status"], said["components"]["filesystem"]["status"]) == (True, "ready", "ready")
    assert "event: ready\n" in box.get("/readiness/stream").text


def test_the_version_of_a_resource_contract_is_a_text_because_go_decodes_no_number_there(box: Box) -> None:
    assert box.get().json()["data"]["resource_contract"]["version"] == "1"


def test_pause_and_resume_keep_a_process_and_its_memory(box: Box) -> None:
    pid = box.post("/processes", json={"command": "i=0; while true; do i=$((i+1)); sleep 0.05; done"}).json()["pid"]
    assert box.post("/pause").json()["data"]["state"] == "paused"
    assert box.post("/pause").status_code == 200
    assert box.post("/resume").json()["data"]["state"] == "running"
    assert box.get(f"/processes/{pid}").json()["status"] == "running"


def test_stop_reads_as_paused_because_clients_resume_only_that(box: Box) -> None:
    assert box.post("/stop").json()["data"]["state"] == "paused"


def test_a_command_wakes_a_paused_sandbox(box: Box) -> None:
    box.post("/pause")
    assert box.run("echo awake")["stdout"] == "awake\n"
    assert box.state == "running"


def test_a_destroyed_sandbox_takes_no_command_and_says_so(client: httpx2.Client, box: Box) -> None:
    client.delete(f"/sandboxes/{box.id}")
    answer = client.post(f"/sandboxes/{box.id}/exec", json={"command": "true"})
    assert answer.status_code == 404
    assert "destroyed" in answer.json()["message"]


def test_a_name_is_free_again_when_the_sandbox_of_its_secret_is_gone(client: httpx2.Client, make: Any) -> None:
    for _ in range(2):
        box = make()
        secret = {"name": "openai_key", "value": "sk-1", "expose_as_env": "OPENAI_API_KEY", "resource_id": box.id}
        assert client.post("/egress/secrets", json=secret).status_code == 201
        assert client.patch("/egress/secrets/openai_key", json={"value": "sk-2"}).status_code == 200
        assert client.delete(f"/sandboxes/{box.id}").status_code == 204
    assert client.get("/egress/secrets").json()["secrets"] == []


def test_time_over_pauses_what_is_persistent_and_destroys_what_is_not(client: httpx2.Client, make: Any, system: System) -> None:
    kept, gone = make(timeout_sec=1), make(timeout_sec=1, persistent=False)
    system.wait(lambda: kept.state == "paused", "the persistent sandbox to be paused")
    system.wait(lambda: client.get(f"/sandboxes/{gone.id}").status_code == 404, "the other one to be destroyed")


def test_idle_time_pauses_and_use_keeps_awake(make: Any, system: System) -> None:
    idle, busy = make(idle_timeout_sec=2), make(idle_timeout_sec=2)
    with busy.client.stream("POST", busy.at("/exec/stream"), json={"command": "sleep 60"}):
        system.wait(lambda: idle.state == "paused", "the idle sandbox to be paused")
        assert busy.state == "running"


def test_extend_counts_from_now(make: Any) -> None:
    box = make(timeout_sec=30)
    assert 99_000 < box.post("/extend", json={"timeout_sec": 100}).json()["data"]["timeout_remaining_ms"] <= 101_000


def test_a_snapshot_becomes_a_new_sandbox_with_the_files_and_without_the_placeholders(client: httpx2.Client, box: Box) -> None:
    secret = {"name": "k", "value": "sk-proj-0123456789abcdefghijklmnop", "expose_as_env": "OPENAI_API_KEY", "resource_id": box.id}
    assert client.post("/egress/secrets", json=secret).status_code == 201
    box.run("echo kept > /workspace/file")
    snapshot = box.post("/snapshots", json={"comment": "before"}).json()["data"]
    assert snapshot["state"] == "ready"
    restored = box.post(f"/restore/{snapshot['id']}").json()["data"]
    again = Box(client, restored["name"], restored["id"])
    assert again.run("cat /workspace/file; echo ${OPENAI_API_KEY-none}")["stdout"] == "kept\nnone\n"
    assert client.delete(f"/sandboxes/{again.id}").status_code == 204
    assert client.delete(box.at(f"/snapshots/{snapshot['id']}")).status_code == 204
    assert box.get("/snapshots").json() == {"data": []}


def test_description_and_tags_change(client: httpx2.Client, box: Box) -> None:
    changed = client.patch(box.at(""), json={"metadata": {"team": "support"}, "tags": ["a", "b"]}).json()["data"]
    assert (changed["metadata"], changed["tags"]) == ({"team": "support"}, ["a", "b"])
    assert box.id in [record["id"] for record in client.get("/sandboxes", params={"tags": "a,b"}).json()["data"]]
    assert client.get("/sandboxes", params={"tags": "a,c"}).json() == {"data": [], "next_cursor": None}


def test_a_key_of_one_user_sees_that_users_sandboxes_alone(client: httpx2.Client, make: Any) -> None:
    mine, other = make(external_user_id="ann"), make(external_user_id="bob")
    token = client.post("/api-keys/scoped", json={"external_user_id": "ann"}).json()["data"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(f"/sandboxes/{mine.id}", headers=headers).status_code == 200
    assert client.get(f"/sandboxes/{other.id}", headers=headers).status_code == 404
    assert client.post(f"/sandboxes/{other.name}/exec", headers=headers, json={"command": "true"}).status_code == 404
