"""Files: both generations of routes, and paths that lead out."""

import base64
from typing import Any

import pytest

from .conftest import Box


def b64(content: bytes) -> str:
    """As the wire carries contents."""
    return base64.b64encode(content).decode()


def write(box: Box, path: str, content: bytes) -> Any:
    """Write one file."""
    return box.post("/fs/write", json={"path": path, "content_base64": b64(content)})


def test_what_is_written_is_read_byte_for_byte_under_both_routes(box: Box) -> None:
    content = bytes(range(256)) * 100
    assert write(box, "/workspace/a b/ü%50.json", content).is_success
    read = box.get("/fs/download", params={"path": "/workspace/a b/ü%50.json"})
    assert (read.content, read.headers["content-type"]) == (content, "application/octet-stream")
    assert box.get("/files/workspace/a%20b/%C3%BC%2550.json").content == content


def test_the_older_route_takes_base64_in_content(box: Box) -> None:
    assert box.post("/files", json={"path": "/workspace/x", "content": b64(b"old")}).is_success
    assert box.run("cat /workspace/x")["stdout"] == "old"


def test_many_are_written_and_failures_listed_beside(box: Box) -> None:
    files = [{"path": "/workspace/1", "content_base64": b64(b"1")}, {"path": "/workspace/../../etc/passwd", "content_base64": b64(b"2")}]
    body = box.post("/files/write-many", json={"files": files}).json()
    assert body["written"] == [{"path": "/workspace/1", "size_bytes": 1}]
    assert [failed["path"] for failed in body["failed"]] == ["/workspace/../../etc/passwd"]


def test_lists_stat_and_tree(box: Box) -> None:
    write(box, "/workspace/dir/file", b"12345")
    entries = box.get("/files", params={"path": "/workspace"}).json()["data"]["entries"]
    assert [(entry["name"], entry["is_dir"]) for entry in entries] == [("dir", True)]
    assert box.post("/fs/stat", json={"path": "/workspace/dir/file"}).json()["data"]["size"] == 5
    tree = box.get("/files/tree").json()
    assert tree["children"][0]["children"][0]["name"] == "file"


def test_folders_are_made_and_removed(box: Box) -> None:
    assert box.post("/fs/mkdir", json={"path": "/workspace/a/b"}).status_code == 201
    assert box.client.delete(box.at("/files"), params={"path": "/workspace/a", "recursive": "true"}).status_code == 204
    assert box.post("/fs/stat", json={"path": "/workspace/a"}).status_code == 404


@pytest.mark.parametrize("path", ["/workspace/../etc/shadow", "../../etc/shadow", "", "/proc/1/environ", "/sys/kernel", "/dev/mem"])
def test_a_path_that_leads_out_is_refused(box: Box, path: str) -> None:
    answer = box.get("/fs/download", params={"path": path})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_PATH")


def test_a_link_that_leads_out_stays_inside(box: Box) -> None:
    box.run("cd /workspace; ln -s /etc/shadow link; ln -s ../../../../../../etc/shadow up; ln -s /proc/1/root/etc/shadow magic")
    for name in ("link", "up", "magic"):
        answer = box.get("/fs/download", params={"path": f"/workspace/{name}"})
        assert 400 <= answer.status_code < 500, (name, answer.content[:100])


def test_a_missing_file_is_404_and_a_folder_is_no_file(box: Box) -> None:
    assert box.get("/fs/download", params={"path": "/workspace/none"}).status_code == 404
    assert box.get("/fs/download", params={"path": "/workspace"}).status_code == 409


def test_content_that_is_not_base64_is_refused(box: Box) -> None:
    answer = box.post("/fs/write", json={"path": "/workspace/x", "content_base64": "not base64!"})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_BASE64")


def test_a_file_beyond_the_limit_of_one_request_is_refused(box: Box) -> None:
    answer = write(box, "/workspace/big", b"\0" * (64 * 2**20 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
