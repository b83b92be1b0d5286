"""Rows 35 to 37: snapshots and previews; and a sandbox's variables."""

from typing import Any

import httpx
import miosa
import pytest

method = pytest.mark.method
SERVE = "python3 -m http.server 8123 --bind 127.0.0.1 --directory /workspace/site"


def served(own: Any) -> Any:
    """A sandbox with a page on port 8123."""
    own.files.write("/workspace/site/index.html", b"<h1>it is served</h1>")
    own.processes.start(SERVE)
    assert own.exec("for n in $(seq 100); do curl -s http://127.0.0.1:8123/ && exit 0; sleep 0.1; done; exit 1").exit_code == 0
    return own


@method(35, "snapshots.create")
@method(35, "snapshots.list")
@method(35, "snapshots.delete")
def test_a_snapshot_is_kept_until_it_is_deleted(own: Any):
    made = own.snapshots.create("before")
    assert (made["state"], made["comment"]) == ("ready", "before")
    assert [kept["id"] for kept in own.snapshots.list()] == [made["id"]]
    own.snapshots.delete(made["id"])
    assert own.snapshots.list() == []


@method(35, "snapshots.restore")
def test_a_snapshot_becomes_a_new_sandbox(own: Any):
    own.files.write("/workspace/kept", b"kept")
    restored = own.snapshots.restore(own.snapshots.create()["id"])
    assert (restored.id != own.id, restored.state) == (True, "running")
    assert restored.files.read("/workspace/kept") == b"kept"
    restored.destroy()


@method(35, "sandbox.create_snapshot")
@method(35, "sandbox.list_snapshots")
@method(35, "sandbox.restore_snapshot")
@method(35, "sandbox.delete_snapshot")
def test_the_handles_own_names_do_the_same(own: Any):
    made = own.create_snapshot("x")
    assert own.list_snapshots()[0]["id"] == made["id"]
    own.restore_snapshot(made["id"]).destroy()
    own.delete_snapshot(made["id"])
    assert own.list_snapshots() == []


@method(36, "sandbox.expose")
@method(36, "sandbox.expose_info")
@method(36, "sandbox.get_url")
@method(36, "sandbox.get_host")
def test_a_port_inside_is_reached_from_outside(own: Any):
    url = served(own).expose(8123)
    assert httpx.get(url).text == "<h1>it is served</h1>"
    assert own.expose_info(8123).url == url
    assert own.get_url(8123, "index.html") == f"{url.rstrip('/')}/index.html"
    assert own.get_host(8123) == httpx.URL(url).netloc.decode()


@method(37, "previews.create")
@method(37, "previews.list")
@method(37, "previews.get")
@method(37, "previews.delete")
def test_a_preview_is_open_until_it_is_deleted(own: Any):
    made = served(own).previews.create(port=8123)
    assert httpx.get(made["url"]).status_code == 200
    assert [preview["id"] for preview in own.previews.list()] == [made["id"]]
    assert own.previews.get(made["id"])["port"] == 8123
    own.previews.delete(made["id"])
    assert own.previews.list() == []


@method("next", "sandbox.preview_token")
def test_a_preview_cannot_be_shared_and_the_error_says_what_to_do(box: Any):
    with pytest.raises(miosa.ServerError, match="ssh -L") as refused:
        box.preview_token()
    assert (refused.value.status_code, refused.value.code) == (501, "NOT_SUPPORTED")


@method("next", "env.set")
@method("next", "env.list")
@method("next", "env.get")
@method("next", "env.delete")
def test_variables_are_set_listed_and_removed(own: Any):
    own.env.set([{"key": "COLOUR", "value": "blue"}, {"key": "SIZE", "value": "9"}])
    for said in (own.env.list(), own.env.get()):
        assert [(variable["key"], variable["value"]) for variable in said["vars"]] == [("COLOUR", "blue"), ("SIZE", "9")]
    assert own.exec("echo $COLOUR $SIZE").stdout == "blue 9\n"
    own.env.delete("SIZE")
    assert own.exec("echo $COLOUR $SIZE").stdout == "blue\n"
