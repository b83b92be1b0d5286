"""Methods beyond the contract's minimum that the client has and this system serves."""

import io
import tarfile
import time
from typing import Any

import miosa
import pytest

from .drive import Follower, Loop, connected, until
from .stage import Stage

further = pytest.mark.further


@further("api_keys.get")
def test_one_key_is_described(client: Any, kind: str):
    made = client.api_keys.create(name=f"got-{kind}")
    assert client.api_keys.get(made["id"])["name"] == f"got-{kind}"
    client.api_keys.delete(made["id"])


@further("api_keys.create_scoped")
def test_a_scoped_key_sees_one_user_outside(client: Any, kind: str, loop: Loop, stage: Stage):
    made = client.api_keys.create_scoped(external_user_id=f"eve-{kind}", scopes=["sandboxes:read", "sandboxes:write"])
    with connected(kind, loop, api_key=made["token"], base_url=stage.base_url) as holder:
        assert holder.sandboxes.list() == []
    client.api_keys.delete(made["id"])


@further("audit_log.list")
def test_the_administrative_log_names_what_was_done(client: Any, kind: str):
    made = client.api_keys.create(name=f"logged-{kind}")
    client.api_keys.delete(made["id"])
    assert made["id"] in {entry["resource_id"] for entry in client.audit_log.list(limit=50)}


@further("sandbox.share.create")
def test_a_share_cannot_be_made_either(box: Any):
    with pytest.raises(miosa.ServerError) as refused:
        box.share.create()
    assert refused.value.code == "NOT_SUPPORTED"


@further("sandbox.update")
def test_an_update_changes_what_it_names(own: Any):
    changed = own.update(metadata={"team": "blue"}, tags=["a", "b"], timeout_sec=900)
    assert (changed.metadata, changed.data["tags"], changed.timeout_sec) == ({"team": "blue"}, ["a", "b"], 900)


@further("sandbox.tags.set")
def test_tags_are_replaced(own: Any):
    assert own.tags.set(["x"])["tags"] == ["x"]


@further("api_keys.update")
def test_a_key_is_renamed(client: Any, kind: str):
    made = client.api_keys.create(name=f"before-{kind}")
    assert client.api_keys.update(made["id"], name=f"after-{kind}")["name"] == f"after-{kind}"
    client.api_keys.delete(made["id"])


@further("api_keys.rotate")
def test_a_rotated_key_is_another_one(client: Any, kind: str):
    made = client.api_keys.create(name=f"turned-{kind}")
    rotated = client.api_keys.rotate(made["id"])
    assert rotated["token"] != made["token"]
    client.api_keys.delete(rotated["id"])


@further("api_keys.events")
def test_a_keys_events_are_listed(client: Any, kind: str):
    made = client.api_keys.create(name=f"seen-{kind}")
    client.api_keys.update(made["id"], name=f"noticed-{kind}")
    events = client.api_keys.events(made["id"], limit=5)
    assert events
    assert all(isinstance(event["id"], str) for event in events)
    client.api_keys.delete(made["id"])


@further("api_keys.create_preset")
@further("api_keys.presets")
@further("api_keys.delete_preset")
def test_a_preset_is_kept_until_it_is_deleted(client: Any, kind: str):
    client.api_keys.create_preset(name=f"preset-{kind}", scopes=["audit:read"], description="reads the log")
    assert f"preset-{kind}" in {preset["name"] for preset in client.api_keys.presets()}
    client.api_keys.delete_preset(f"preset-{kind}")
    assert f"preset-{kind}" not in {preset["name"] for preset in client.api_keys.presets()}


@further("tokens.create_scoped")
def test_a_scoped_token_works_and_ends(client: Any, kind: str, loop: Loop, stage: Stage):
    made = client.tokens.create_scoped(user_id=f"eve-{kind}", workspace_id="w", expires_in_seconds=600, scopes=["sandboxes:read"])
    assert made["scopes"] == ["sandboxes:read"]
    assert made["expires_at"] > time.strftime("%Y-%m-%d")
    with connected(kind, loop, access_token=made["token"], base_url=stage.base_url) as holder:
        assert isinstance(holder.sandboxes.list(), list)


@further("computer.exec.spawn")
@pytest.mark.parametrize("kind", ["async"], indirect=True)
def test_a_command_is_spoken_with_although_the_sync_client_cannot(client: Any, box: Any):
    process = client.computers.get(box.id).exec.spawn("sh", args=["-c", 'read line; echo "$WORD $line"; exit 7'], env={"WORD": "hello"})
    process.write("w\u00f6rld\n")
    assert process.wait() == 7
    assert "".join(process.stdout()) == "hello w\u00f6rld\n"
    process.close()


@further("files.watch")
def test_a_watch_tells_of_a_new_file(own: Any):
    watch = Follower(lambda: own.files.watch("/workspace"), lambda seen: any(event.path.startswith("/workspace/new") for event in seen))
    number = 0
    while not watch.done:
        number += 1
        own.files.write(f"/workspace/new-{number}", b"x")
    told = next(event for event in watch.result() if event.path.startswith("/workspace/new"))
    assert (told.event, told.is_dir) == ("created", False)


@further("sandbox.create_export")
def test_an_export_is_described(own: Any):
    own.files.write("/workspace/out/a", b"a")
    said = own.create_export(["/workspace/out"])
    assert (said["paths"], said["filename"], said["content_type"]) == (["/workspace/out"], "out.tar.gz", "application/gzip")


@further("sandbox.download_export")
def test_an_export_is_an_archive(own: Any):
    own.files.write_many([{"path": "/workspace/out/a", "content": "a"}, {"path": "/workspace/out/b", "content": "bb"}])
    packed = own.download_export(["/workspace/out"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert sorted(name.rpartition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()) == ["a", "b"]


@further("sse_ticket.create")
def test_a_ticket_for_a_browser_is_flat(client: Any):
    ticket = client.sse_ticket.create()
    assert ticket["ticket"]
    assert ticket["expires_in"] > 0


@further("sandbox.snapshot")
def test_the_old_snapshot_call_gives_an_id(own: Any):
    assert own.snapshot() in {kept["id"] for kept in own.list_snapshots()}


@further("previews.share")
def test_nor_can_one_preview_be_shared(own: Any):
    made = own.previews.create(port=8123)
    with pytest.raises(miosa.ServerError) as refused:
        own.previews.share(made["id"])
    assert refused.value.code == "NOT_SUPPORTED"


@further("sandbox.logs.get")
@further("sandbox.get_logs")
def test_logs_are_what_the_sandbox_printed(own: Any):
    pid = own.processes.start("echo heard")["pid"]
    until(lambda: own.processes.get(pid)["exit_code"] == 0, "the process to end")
    assert own.logs.get(lines=10)["logs"].count("heard") == 1
    assert own.get_logs(lines=10) == own.logs.get(lines=10)


@further("sandbox.logs.stream")
def test_logs_are_followed(own: Any):
    follow = Follower(own.logs.stream, lambda seen: any("heard" in str(event.data) for event in seen))
    while not follow.done:
        own.exec("echo heard")
    assert follow.result()


@further("sandbox.artifacts.list")
def test_artifacts_are_the_files_of_their_folder(own: Any):
    own.files.write("/workspace/artifacts/report.txt", b"done")
    assert [file["path"] for file in own.artifacts.list()["artifacts"]["files"]] == ["/workspace/artifacts/report.txt"]


@further("sandbox.fork")
def test_a_fork_has_the_files_and_a_life_of_its_own(own: Any):
    own.files.write("/workspace/kept", b"kept")
    fork = own.fork(name=f"{own.name}-fork", metadata={"of": own.id})
    assert (fork.id != own.id, fork.name, fork.metadata) == (True, f"{own.name}-fork", {"of": own.id})
    assert fork.files.read("/workspace/kept") == b"kept"
    fork.destroy()


@further("sandbox.metrics")
def test_metrics_show_what_is_used_now(box: Any):
    said = box.metrics(window="1h")
    assert (said["sandbox_id"], said["window"]) == (box.id, "1h")
    assert 0 < said["memory_bytes"] <= said["memory_limit_bytes"]


@further("sandbox.resources")
def test_resources_show_what_the_sandbox_has(box: Any):
    said = box.resources()
    assert (said["resources"]["cpu"], said["resources"]["memory_mb"]) == (box.cpu_count, box.memory_mb)


@further("terminal.create")
@further("terminal.delete")
def test_a_terminal_is_opened_and_closed(own: Any):
    session = own.terminal.create(rows=24, cols=80)
    own.terminal.delete(session.get("session_id") or session["id"])
