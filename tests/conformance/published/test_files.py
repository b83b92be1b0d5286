"""Rows 13 to 17: files."""

import json
from pathlib import Path
from typing import Any

import miosa
import pytest
from miosa.resources.sandbox_namespaces import FileWriteItem

method = pytest.mark.method
AWKWARD = "/workspace/ä b+c#d?e%41.txt"


@method(13, "files.write")
def test_bytes_text_and_a_local_file_arrive_as_they_are(own: Any, tmp_path: Path):
    local = tmp_path / "local.bin"
    local.write_bytes(bytes(range(256)))
    for name, content in (("bytes", b"\x00\xff"), ("text", "grün\n"), ("path", local)):
        own.files.write(f"/workspace/{name}", content)
    assert own.exec("cat bytes text path | sha256sum; wc -c < path").stdout.split()[2] == "256"
    assert own.files.read("/workspace/bytes") + own.files.read("/workspace/text") == b"\x00\xff" + "grün\n".encode()


@method(13, "files.upload")
@method(13, "sandbox.write_file")
def test_the_other_names_of_write_write(own: Any):
    own.files.upload("/workspace/a/b/one", b"1")
    own.write_file("/workspace/a/b/two", "2")
    assert own.exec("cat a/b/one a/b/two").stdout == "12"


@method(15, "files.write_many")
def test_many_files_are_written_and_counted(own: Any):
    done = own.files.write_many([{"path": "/workspace/a.py", "content": "1"}, {"path": "/workspace/b.py", "content": b"22"}])
    assert [(file["path"], file["size_bytes"]) for file in done["written"]] == [("/workspace/a.py", 1), ("/workspace/b.py", 2)]
    assert done["failed"] == []


@method(15, "files.write_files")
def test_many_files_are_written_from_items(own: Any):
    own.files.write_files([FileWriteItem("/workspace/a", b"a"), {"path": "/workspace/b", "data": "b"}])
    assert own.exec("cat a b").stdout == "ab"


@method(16, "files.read")
@method(16, "files.download")
def test_a_name_with_every_awkward_character_is_read(own: Any):
    own.files.write(AWKWARD, b"awkward")
    assert (own.files.read(AWKWARD), own.files.download(AWKWARD)) == (b"awkward", b"awkward")


@method(16, "files.read_text")
@method(16, "sandbox.read_file")
def test_a_json_file_comes_back_as_it_was_written(own: Any):
    text = json.dumps({"data": {"content": "bm90IHRoaXM="}})
    own.files.write("/workspace/x.json", text)
    assert (own.files.read_text("/workspace/x.json"), own.read_file("/workspace/x.json")) == (text, text)


@method(16, "files.read: NotFoundError")
def test_a_missing_file_is_a_not_found_error(box: Any):
    with pytest.raises(miosa.NotFoundError):
        box.files.read("/workspace/nothing")


@method(17, "files.list")
@method(17, "sandbox.list_files")
def test_a_folder_is_listed_as_deep_as_asked(own: Any):
    own.files.write_many([{"path": "/workspace/d/one", "content": "1"}, {"path": "/workspace/d/e/two", "content": "22"}])
    entries = own.files.list("/workspace/d")["entries"]
    assert sorted((entry["name"], entry["is_dir"]) for entry in entries) == [("e", True), ("one", False)]
    deep = {entry["path"]: entry["size"] for entry in own.list_files("/workspace/d", depth=2)["entries"] if not entry["is_dir"]}
    assert deep == {"/workspace/d/one": 1, "/workspace/d/e/two": 2}


@method(17, "files.tree")
def test_a_tree_is_flat_at_its_root(own: Any):
    own.files.write("/workspace/d/e/two", b"22")
    tree = own.files.tree("/workspace/d", depth=3)
    assert (tree["path"], tree["name"], tree["type"]) == ("/workspace/d", "d", "dir")
    assert tree["children"][0]["children"][0]["size"] == 2


@method("next", "files.stat")
@method("next", "sandbox.stat_file")
def test_stat_says_size_and_mode(own: Any):
    own.files.write("/workspace/x", b"123")
    own.exec("chmod 640 x")
    for said in (own.files.stat("/workspace/x"), own.stat_file("/workspace/x")):
        assert (said["path"], said["size"], said["is_dir"], said["mode"]) == ("/workspace/x", 3, False, "0640")
