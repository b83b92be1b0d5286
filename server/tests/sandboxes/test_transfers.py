"""Files as streams: uploads of any size, changes as they happen, several files in one archive."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from .conftest import Box


def pieces(size: int) -> Iterator[bytes]:
    """So many bytes, never all of them at once."""
    piece = bytes(range(256)) * 256
    while size > 0:
        yield piece[:size]
        size -= len(piece)


class Changes:
    """The frames of a watch, read by a thread of their own."""

    def __init__(self, box: Box, **query: Any) -> None:
        self._stream = box.client.stream("GET", box.at("/files/watch"), params=query)
        self.answer = self._stream.__enter__()
        assert self.answer.status_code == 200, self.answer.read()
        self._lines = self.answer.iter_lines()

    def until(self, name: str) -> list[dict[str, Any]]:
        """What is told up to a file of this name."""
        seen = []
        for line in self._lines:
            if line.startswith("data: "):
                seen.append(json.loads(line.removeprefix("data: ")))
                if seen[-1]["path"].endswith(name):
                    return seen
        raise AssertionError(f"the watch ended after {seen}")

    def close(self) -> None:
        """Stop watching."""
        self._stream.__exit__(None, None, None)


def test_a_large_file_is_uploaded_as_a_stream_and_read_back(box: Box):
    size = 80 << 20  # more than a JSON body may have
    done = box.client.put(box.at("/fs/content"), params={"path": "big.bin", "mode": "0600"}, content=pieces(size))
    assert done.json() == {"data": {"path": "/workspace/big.bin", "size": size, "size_bytes": size}}
    assert box.run("stat -c '%s %a' big.bin; md5sum < big.bin | cut -c1-8")["stdout"].splitlines()[0] == f"{size} 600"


def test_a_stream_that_the_sandbox_has_no_room_for_is_refused_with_the_reason(make: Any):
    small = make(disk_size_mb=32)
    answer = small.client.put(small.at("/fs/content"), params={"path": "big.bin"}, content=pieces(64 << 20))
    assert (answer.status_code, answer.json()["error"]["retry"]) == (413, False)
    assert small.run("ls")["stdout"] == ""


def test_an_upload_that_breaks_off_leaves_the_file_as_it_was(box: Box):
    box.client.put(box.at("/fs/content"), params={"path": "f"}, content=b"before")

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionError("the sender's disk failed")

    with pytest.raises(ConnectionError):
        box.client.put(box.at("/fs/content"), params={"path": "f"}, content=broken())
    assert box.run("for n in 1 2 3 4 5 6 7 8 9; do ls -A | grep -q part || break; sleep 0.2; done; ls -A; cat f")["stdout"] == "f\nbefore"


def test_an_upload_to_a_folder_is_refused_with_a_reason_that_arrives(box: Box):
    box.run("mkdir d")
    refused = box.client.put(box.at("/fs/content"), params={"path": "d"}, content=pieces(4 << 20))
    assert (refused.status_code, refused.json()["code"]) == (409, "IS_DIRECTORY")


def test_an_upload_beyond_the_sandboxes_disk_is_refused_before_it_is_read(make: Any):
    box = make(disk_size_mb=16)
    headers = {"Content-Length": str(17 << 20)}
    refused = box.client.put(box.at("/fs/content"), params={"path": "f"}, content=pieces(17 << 20), headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (413, "TOO_LARGE")


def test_changes_are_told_with_both_names_of_their_kind(box: Box):
    changes = Changes(box, path="/workspace")
    box.run("mkdir sub; echo x > sub/a; mv sub/a sub/b; touch sub/end")
    seen = changes.until("end")
    changes.close()
    assert all(told["event"] == told["type"] for told in seen)
    assert {name: seen[0][name] for name in ("event", "path", "is_dir")} == {"event": "created", "path": "/workspace/sub", "is_dir": True}
    assert ("renamed", "/workspace/sub/b", "/workspace/sub/a") in [(told["event"], told["path"], told["old_path"]) for told in seen]


def test_a_file_that_the_api_writes_is_one_change(box: Box):
    changes = Changes(box)
    box.post("/fs/write", json={"path": "one", "content_base64": "eA=="})
    box.post("/fs/write", json={"path": "end", "content_base64": ""})
    assert [(told["event"], told["path"]) for told in changes.until("end")] == [
        ("created", "/workspace/one"),
        ("created", "/workspace/end"),
    ]
    changes.close()


def test_what_is_not_there_cannot_be_watched(box: Box):
    assert box.get("/files/watch", params={"path": "nowhere"}).status_code == 404


def test_a_watch_ends_when_its_sandbox_does(make: Any):
    box = make()
    changes = Changes(box)
    ended = threading.Thread(target=lambda: [None for _ in changes.answer.iter_raw()], daemon=True)
    ended.start()
    box.client.delete(box.at(""))
    ended.join(20)
    assert not ended.is_alive()


def archive(answer: httpx2.Response) -> tarfile.TarFile:
    """The answer as an archive."""
    assert answer.headers["content-type"] == "application/gzip", answer.text
    return tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz")


def test_a_folder_is_exported_with_links_modes_and_folders(box: Box):
    box.run("mkdir -p site/css empty; echo hi > site/index.html; chmod 751 site/index.html")
    box.run("ln -s index.html site/home; mkfifo site/pipe; touch site/css/é")
    answer = box.get("/exports/download", params={"path": "site"})
    with archive(answer) as packed:
        assert sorted(packed.getnames()) == ["site", "site/css", "site/css/é", "site/home", "site/index.html"]
        assert packed.getmember("site/index.html").mode == 0o751
        assert packed.getmember("site/home").linkname == "index.html"
        assert packed.extractfile("site/index.html").read() == b"hi\n"
    assert 'filename="site.tar.gz"' in answer.headers["content-disposition"]


def test_one_file_is_exported_as_it_is(box: Box):
    box.run("echo hi > report.txt")
    answer = box.get("/exports/download", params={"path": "report.txt"})
    assert (answer.content, answer.headers["content-type"]) == (b"hi\n", "application/octet-stream")


def test_several_paths_are_exported_together_and_keep_apart(box: Box):
    box.run("mkdir a b; echo 1 > a/same; echo 2 > b/same; head -c 3000000 /dev/urandom > large")
    answer = box.get("/exports/download", params=[("paths[]", "a/same"), ("paths[]", "b/same"), ("paths[]", "large")])
    with archive(answer) as packed:
        assert packed.getnames() == ["same", "same-2", "large"]
        assert packed.extractfile("large").read() == box.get("/fs/download", params={"path": "large"}).content


def test_an_export_is_described_and_fetched_from_where_it_says(box: Box):
    box.run("mkdir out; echo hi > out/f")
    made = box.post("/exports", json={"paths": ["out"], "label": "results", "filename": "results.tar.gz"})
    told = made.json()["data"]
    assert (made.status_code, told["label"], told["paths"]) == (201, "results", ["/workspace/out"])
    answer = httpx2.get(str(box.client.base_url).split("/api/")[0] + told["url"], headers=box.client.headers)
    assert archive(answer).getnames() == ["out", "out/f"]
    assert 'filename="results.tar.gz"' in answer.headers["content-disposition"]


def test_an_export_of_what_is_not_there_is_refused(box: Box):
    assert box.post("/exports", json={"path": "nowhere"}).status_code == 404
    assert box.post("/exports", json={}).status_code == 400


@pytest.mark.parametrize(
    ("name", "raw"), [("50%.txt", "50%.txt"), ("a b.txt", "a%20b.txt"), ("é.txt", "%C3%A9.txt"), ("100%25", "100%2525")]
)
def test_a_path_that_a_client_did_not_encode_well_is_read_all_the_same(box: Box, name: str, raw: str):
    box.post("/fs/write", json={"path": name, "content_base64": "aGk="})
    at = httpx2.URL(str(box.client.base_url)).copy_with(raw_path=f"/api/v1{box.at('/files/workspace/')}{raw}".encode())
    assert box.client.get(at).content == b"hi"
