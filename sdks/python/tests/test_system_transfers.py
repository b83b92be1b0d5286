"""Streams of files, what is measured, and keys: the client against the real system."""

import hashlib
import io
import subprocess
import sys
import tarfile
import threading

import pytest
from openmiosa import InsufficientScopeError, PermissionDeniedError
from openmiosa.testing import LocalServer

MEGABYTE = 1 << 20
# Sends and fetches 96 MiB, and prints by how much that made the program grow.
LARGE = """
import os, resource, sys
from openmiosa import Miosa

def grown():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

class Nowhere:
    size = 0
    def write(self, piece):
        self.size += len(piece)

with Miosa() as client:
    sandbox = client.sandboxes.get(sys.argv[1])
    sandbox.files.write("/workspace/first", b"x")
    before, gone = grown(), Nowhere()
    sandbox.files.upload((bytes(65536) for _ in range(96 * 16)), "/workspace/large")
    sandbox.files.download("/workspace/large", gone)
    print(gone.size >> 20, grown() - before)
"""


@pytest.fixture(scope="module")
def server():
    """A system of this module's own."""
    with LocalServer() as made:
        yield made


@pytest.fixture(scope="module")
def api(server):
    """Its admin's client."""
    with server.client() as made:
        yield made


@pytest.fixture
def box(api):
    """A fresh sandbox."""
    with api.sandboxes.create() as made:
        yield made


def test_bytes_arrive_as_they_were_with_their_mode(box):
    content = bytes(range(256)) * 4000
    box.files.upload(content, "/workspace/deep/er/run", mode="0750")
    assert box.files.stat("/workspace/deep/er/run").mode == "0750"
    assert box.exec("sha256sum < /workspace/deep/er/run").stdout.split()[0] == hashlib.sha256(content).hexdigest()


def test_large_files_pass_in_constant_memory(server, box):
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **server.environment}
    done = subprocess.run([sys.executable, "-c", LARGE, box.id], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    moved, grown = map(int, done.stdout.split())
    assert moved == 96
    assert grown < 16, "megabytes"


def test_a_folder_arrives_whole(box, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "é 1").write_text("x")
    box.files.upload(tmp_path, "/workspace/app")
    assert box.exec("find . | sort", cwd="/workspace/app").stdout.split("\n") == [".", "./empty", "./in", "./in/é 1", ""]


def test_a_link_that_leads_out_of_a_folder_takes_nothing_along(box, tmp_path):
    (tmp_path / "credentials").write_text("held back")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "own").write_text("x")
    (tmp_path / "work" / "inner").symlink_to("own")
    (tmp_path / "work" / "notes").symlink_to(tmp_path / "credentials")
    (tmp_path / "work" / "all").symlink_to(tmp_path)
    box.files.upload(tmp_path / "work", "/workspace/app")
    assert box.exec("find . -type f | sort", cwd="/workspace/app").stdout.split() == ["./inner", "./own"]


def test_an_export_is_an_archive_of_what_was_asked(box, tmp_path):
    box.files.write_many({"/workspace/a/one": "1", "/workspace/b": "2", "/workspace/c": "3"})
    box.files.export(["/workspace/a", "/workspace/b"], to=tmp_path / "some.tar.gz")
    with tarfile.open(tmp_path / "some.tar.gz") as archive:
        assert {name.rpartition("/")[2] for name in archive.getnames()} == {"a", "one", "b"}
    with tarfile.open(fileobj=io.BytesIO(box.files.export())) as archive:
        assert any(name.endswith("/one") for name in archive.getnames())


def test_a_watch_tells_of_changes(box):
    changes = box.files.watch()
    writer = threading.Timer(0.3, box.exec, ["echo 1 > /workspace/x; mv /workspace/x /workspace/y"])
    writer.start()
    seen = next(change for change in changes if change.event == "renamed")
    assert (seen.old_path, seen.path) == ("/workspace/x", "/workspace/y")
    changes.close()
    writer.join()


def test_logs_are_followed(box):
    box.processes.start("echo before; sleep 0.3; echo after")
    lines = box.logs_stream()
    assert [next(lines), next(lines)] == ["before", "after"]
    lines.close()
    assert box.logs().splitlines()[-2:] == ["before", "after"]


def test_use_and_limits_are_told(box):
    box.exec("head -c 20000000 /dev/zero | sha256sum; curl -s http://nowhere.example/")
    assert box.metrics(window="1h").memory_bytes > 0
    assert box.usage().running_sec >= 0
    assert box.resources().resources.memory_mb == box.info.memory_mb
    box.files.upload(b"result", "/workspace/artifacts/report.txt")
    assert [file.path for file in box.artifacts().artifacts.files] == ["/workspace/artifacts/report.txt"]


def test_a_fork_and_a_restored_snapshot_are_handles(box):
    box.files.write("/workspace/state", "1")
    kept = box.snapshots.create("before", keep=True)
    box.files.write("/workspace/state", "2")
    with box.fork(env={"MODE": "copy"}) as copy, box.snapshots.restore(kept.id) as earlier:
        assert copy.exec("cat /workspace/state; echo $MODE").stdout == "2copy\n"
        assert earlier.files.read_text("/workspace/state") == "1"


def test_variables_are_set_as_a_whole(box):
    box.env.set({"A": "1", "B": "2"})
    box.env.delete("A")
    assert [(one.key, one.value) for one in box.env.list()] == [("B", "2")]
    assert box.exec("echo ${A:-none} $B").stdout == "none 2\n"


def test_a_preview_is_reached_and_closed(box):
    preview = box.previews.open(8000)
    assert [one.id for one in box.previews.list()] == [box.previews.get(preview.id).id]
    box.previews.close(preview.id)
    assert box.previews.list() == []


def test_a_rotated_key_changes_its_text_and_keeps_its_rights(server, api):
    made = api.api_keys.create("bot", preset="runner")
    renewed = api.api_keys.rotate(made.id)
    assert renewed.token != made.token
    with server.client(api_key=renewed.token) as bot, pytest.raises(InsufficientScopeError):
        bot.audit.list().all()
    assert api.api_keys.update(made.id, description="of the build").description == "of the build"
    assert "identity:key:rotate" in {event.action for event in api.api_keys.events(made.id)}
    assert api.admin_log.list(type="identity:key:*", limit=1).first().resource_type == "api_key"
    api.api_keys.delete(made.id)


def test_a_token_for_a_user_sees_what_is_theirs(server, api):
    token = api.tokens.create_scoped("ada", scopes=["sandboxes:read"], expires_in_seconds=60)
    with api.sandboxes.create(external_user_id="ada") as theirs, server.client(api_key=token.token) as ada:
        assert [one.id for one in ada.sandboxes.list()] == [theirs.id]
        with pytest.raises(PermissionDeniedError):
            ada.sandboxes.create()


def test_presets_are_kept_and_forgotten(api):
    api.api_keys.save_preset("looker", ["sandboxes:read"], description="looks")
    assert {"looker", "runner"} <= {preset.name for preset in api.api_keys.presets()}
    api.api_keys.delete_preset("looker")
    assert "looker" not in {preset.name for preset in api.api_keys.presets()}
