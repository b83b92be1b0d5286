"""The walkthrough's proof fails when something is wrong: each way that it could be wrong is tried."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.walkthrough import needles, processes, proof, search

HELD = "value-0123456789abcdefghij"
HOLD = "import pathlib, sys; held = sys.stdin.read(); pathlib.Path(sys.argv[1]).touch(); sys.stdout.flush(); __import__('signal').pause()"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[processes.Process]:
    """A process in a pid namespace of its own that holds a value in its heap and nowhere else."""
    ready = tmp_path / "ready"
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", sys.executable, "-c", HOLD, str(ready)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"], "PLACE": "variable-0123456789"}
    ) as process:
        assert process.stdin
        process.stdin.write(HELD)
        process.stdin.close()
        deadline = time.monotonic() + 20
        while not ready.exists():
            assert time.monotonic() < deadline
        (found,) = [p for p in processes.find(str(ready)) if p.pid_inside == 1]
        yield found
        process.kill()


def places(needle: str, pid: int) -> set[str]:
    looked = search.Search(list(needles.encodings(needle)))
    looked._memory(pid)
    looked._bytes(Path(f"/proc/{pid}/environ").read_bytes(), "environ", "it")
    return {hit.place for hit in looked.findings.hits}


def test_a_value_in_a_heap_is_found(holder: processes.Process) -> None:
    assert places(HELD, holder.pid) == {"memory"}


def test_a_value_in_a_variable_is_found(holder: processes.Process) -> None:
    assert "environ" in places("variable-0123456789", holder.pid)


def test_what_is_not_there_is_not_found(holder: processes.Process) -> None:
    # Made here, so that it stands in no file and in no other process's memory.
    assert places(f"absent-{os.urandom(16).hex()}", holder.pid) == set()


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_value_in_a_file_is_found_at_every_alignment_of_base64(tmp_path: Path, shift: int) -> None:
    (tmp_path / "file").write_bytes(base64.b64encode(b"y" * shift + HELD.encode() + b"trailing"))
    looked = search.Search(list(needles.encodings(HELD)))
    looked._files(tmp_path, 0.0)
    assert {hit.place for hit in looked.findings.hits} == {"file"}


def test_a_file_older_than_the_value_is_counted_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(HELD)
    looked = search.Search(list(needles.encodings(HELD)))
    looked._files(tmp_path, time.time() + 60)
    assert (looked.findings.files_older, looked.findings.files_read) == (1, 0)


def entry(credential: str, host: str = "api.openai.com", status: int = 200) -> dict[str, object]:
    return {"host": host, "credential": credential, "status": status, "error": None, "complete": True, "method": "GET", "path": "/"}


def holds(entries: list[dict[str, object]]) -> dict[str, bool]:
    table = proof.Proof()
    complete = [entry("token 1.1", "api.github.com"), entry("token 1.2", "api.github.com"), entry("code", "github.com")]
    proof.credentials(table, {"entries": [*entries, *complete]})
    return {what.partition(":")[0]: ok for ok, what, _ in table.lines}


def test_one_switch_from_old_to_new_holds() -> None:
    assert all(holds([entry("old"), entry("old"), entry("new")]).values())


@pytest.mark.parametrize("order", [["old", "new", "old"], ["new", "old"], ["old"], ["new"], ["old", "unknown key", "new"], []])
def test_any_other_order_fails(order: list[str]) -> None:
    assert not holds([entry(label) for label in order])["api.openai.com"]


def test_an_older_github_token_after_a_newer_one_fails() -> None:
    assert not holds([entry("old"), entry("new"), entry("token 1.3", "api.github.com")])["api.github.com"]


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_a_single_failure_at_a_standin_fails(status: int) -> None:
    assert not holds([entry("old"), entry("new", status=status)])["failures at the stand-ins"]


def test_another_process_or_placeholder_fails() -> None:
    one = proof.AgentSeen(processes.Process(10, 3, 500, "pid:[1]"), "miosa-tok-1", "miosa-tok-2")
    for other in (
        proof.AgentSeen(processes.Process(10, 3, 900, "pid:[1]"), "miosa-tok-1", "miosa-tok-2"),
        proof.AgentSeen(processes.Process(10, 3, 500, "pid:[1]"), "miosa-tok-9", "miosa-tok-2"),
    ):
        table = proof.Proof()
        proof.same_agent(table, [one, other], [0, 2])
        assert not all(ok for ok, _, _ in table.lines)


def test_too_few_refreshes_fail() -> None:
    one = proof.AgentSeen(processes.Process(10, 3, 500, "pid:[1]"), "miosa-tok-1", "miosa-tok-2")
    table = proof.Proof()
    proof.same_agent(table, [one, one], [1, 2])
    assert not table.show()
