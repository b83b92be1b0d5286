"""`openmiosa cp` against the real system, and the archive that a stranger made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openmiosa.cli.copy import Remote, _side

from .test_system import api, box, system, upstream  # noqa: F401 (fixtures)


@pytest.fixture
def cp(system, tmp_path):  # noqa: F811
    """Copies, in a folder of its own."""

    def copies(*words, code=0, stdin=None):
        env = system.environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "openmiosa.cli", "cp", *words]
        given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, timeout=60, check=False, **given)
        assert ran.returncode == code, ran.stderr.decode()
        return ran

    return copies


def test_a_file_goes_in_and_out_as_it_was(cp, box, tmp_path):  # noqa: F811
    content = bytes(range(256)) * 9000
    (tmp_path / "tool").write_bytes(content)
    (tmp_path / "tool").chmod(0o755)
    cp("tool", f"{box.id}:")
    assert box.exec("stat -c %a /workspace/tool").stdout == "755\n"
    cp(f"{box.id}:tool", "back")
    assert (tmp_path / "back").read_bytes() == content


def test_a_folder_goes_in_under_its_name_and_comes_out_whole(cp, box, tmp_path):  # noqa: F811
    (tmp_path / "src" / "empty").mkdir(parents=True)
    (tmp_path / "src" / "é b.txt").write_text("x")
    (tmp_path / "src" / "link").symlink_to("é b.txt")
    cp("-r", "src", f"{box.id}:/workspace")
    assert box.exec("ls -F /workspace/src").stdout == "empty/\nlink@\n'é b.txt'\n".replace("'", "")
    cp(f"{box.id}:src", "out")
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["empty", "link", "é b.txt"]
    assert (tmp_path / "out" / "link").readlink() == Path("é b.txt")


def test_a_dash_is_standard_input_or_output(cp, box):  # noqa: F811
    cp("-", f"{box.id}:/tmp/piped", stdin=b"\x00through\xff")
    assert cp(f"{box.id}:/tmp/piped", "-").stdout == b"\x00through\xff"


def test_what_does_not_belong_here_is_not_unpacked(cp, box, tmp_path):  # noqa: F811
    box.exec("mkdir -p evil && ln -s /etc/passwd evil/out").check()
    said = cp(f"{box.id}:evil", "kept", code=1).stderr.decode()
    assert "does not belong here" in " ".join(said.split())
    assert not (tmp_path / "kept" / "out").exists()


@pytest.mark.parametrize("words", [("here", "there"), ("a:x", "b:y"), ("missing", "{box}:x"), ("{box}:/workspace", "-")])
def test_what_cannot_be_meant_is_said(cp, box, words):  # noqa: F811
    assert b"Usage" in cp(*(word.format(box=box.id) for word in words), code=2).stderr


def test_a_folder_that_cannot_be_written_says_why(cp, box, tmp_path):  # noqa: F811
    (tmp_path / "x").write_text("x")
    assert b"did not arrive" in cp("x", f"{box.id}:/usr/x", code=1).stderr


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("agent:x/y", Remote("agent", "/workspace/x/y")),
        ("agent:/tmp/", Remote("agent", "/tmp/")),
        ("agent:", Remote("agent", "/workspace")),
        ("./a:b", "./a:b"),
        ("/a:b", "/a:b"),
        (":x", ":x"),
    ],
)
def test_sides_are_told_apart(text, side):
    assert _side(text) == side
