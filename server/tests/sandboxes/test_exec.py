"""Commands: results, streams, processes, terminals, and what happens when a client leaves."""

import json
import time
from typing import Any

import httpx2
import pytest
from openmiosa_server.api import padded
from openmiosa_server.testing import System
from websockets.sync.client import connect as open_socket

from .conftest import Box


def test_a_failing_command_is_an_answer(box: Box) -> None:
    result = box.run("echo out; echo err >&2; exit 3")
    assert (result["stdout"], result["stderr"], result["exit_code"]) == ("out\n", "err\n", 3)
    assert result["duration_ms"] >= 0


def test_a_vector_is_run_without_a_shell(box: Box) -> None:
    answer = box.post("/exec", json={"argv": ["printf", "%s|", "a b", "$HOME"]}).json()["data"]
    assert answer["stdout"] == "a b|$HOME|"


def test_python_is_called_python_also_where_the_host_has_only_python3(box: Box) -> None:
    assert box.run("python -c 'print(6 * 7)'")["stdout"] == "42\n"
    assert box.post("/exec", json={"argv": ["python", "-c", "import sys; sys.exit(5)"]}).json()["data"]["exit_code"] == 5


def test_standard_input_and_folder_and_variables_arrive(box: Box) -> None:
    result = box.run("pwd; cat; echo $GREETING", stdin="typed\n", cwd="/tmp", env={"GREETING": "hello"})
    assert result["stdout"] == "/tmp\ntyped\nhello\n"


def test_variables_given_explicitly_beat_placeholders_which_beat_the_sandboxes_own(client: httpx2.Client, make: Any) -> None:
    box = make(env={"OPENAI_API_KEY": "own", "ONLY_OWN": "own"})
    secret = {"name": "k", "value": "sk-proj-0123456789abcdefghijklmnop", "expose_as_env": "OPENAI_API_KEY", "resource_id": box.id}
    client.post("/egress/secrets", json=secret)
    assert box.run("echo $OPENAI_API_KEY")["stdout"].startswith("miosa-tok-")
    assert box.run("echo $OPENAI_API_KEY $ONLY_OWN", env={"OPENAI_API_KEY": "given"})["stdout"] == "given own\n"


def test_a_timeout_ends_the_command_and_is_said(box: Box) -> None:
    result = box.run("sleep 30", timeout=0.3)
    assert (result["exit_code"], result["timed_out"]) == (124, True)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command": ""},
        {"argv": []},
        {"command": "a", "argv": ["b"]},
        {"command": "a", "timeout": -1},
        {"command": "a", "env": {"A=B": "c"}},
    ],
)
def test_a_command_that_cannot_be_is_refused(box: Box, body: dict[str, Any]) -> None:
    answer = box.post("/exec", json=body)
    assert answer.status_code == 422
    assert answer.json()["message"]


def test_a_long_command_sends_its_headers_early_and_blanks_until_it_ends(box: Box) -> None:
    began = time.monotonic()
    with box.client.stream("POST", box.at("/exec"), json={"command": f"sleep {padded.QUICK + 1.5}; echo done"}) as answer:
        head = time.monotonic() - began
        text = "".join(answer.iter_text())
    assert head < padded.QUICK + 1
    assert text.startswith(" ")
    assert json.loads(text)["data"]["stdout"] == "done\n"


def test_a_repeated_command_with_its_key_runs_once(box: Box) -> None:
    body = {"command": "echo x >> /workspace/count; wc -l < /workspace/count"}
    answers = [box.post("/exec", json=body, headers={"Idempotency-Key": f"once-{box.id}"}).json()["data"]["stdout"] for _ in "12"]
    assert answers == ["1\n", "1\n"]


def test_a_client_that_leaves_takes_its_command_with_it(box: Box, system: System) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        box.post("/exec", json={"command": "sleep 300 & echo $! > /workspace/pid; sleep 300"}, timeout=1.0)
    system.wait(lambda: running(box, "sleep 300") == [], "the command and its children to be gone")


def test_a_client_that_leaves_a_stream_takes_its_command_with_it(box: Box, system: System) -> None:
    with box.client.stream("POST", box.at("/exec/stream"), json={"command": "echo up; sleep 301"}) as answer:
        next(line for line in answer.iter_lines() if "up" in line)
    system.wait(lambda: running(box, "sleep 301") == [], "the command to be gone")


def test_a_stream_gives_lines_with_their_type_and_the_exit_last(box: Box) -> None:
    with box.client.stream("POST", box.at("/exec/stream"), json={"command": "echo one; echo two >&2; printf rest; exit 3"}) as answer:
        frames = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert {"type": "stdout", "line": "one"} in frames
    assert {"type": "stderr", "line": "two"} in frames
    assert {"type": "stdout", "line": "rest", "partial": True} in frames
    assert (frames[-1]["type"], frames[-1]["exit_code"], frames[-1]["exitCode"]) == ("exit", 3, 3)


def test_frames_stay_ascii_and_below_the_clients_limit(box: Box) -> None:
    command = "python3 -c \"print('\\u2028' * 100000)\""
    with box.client.stream("POST", box.at("/exec/stream"), json={"command": command}) as answer:
        lines = list(answer.iter_lines())
    assert all(line.isascii() and len(line) < 65536 for line in lines)


def test_a_process_in_the_background_is_listed_read_and_stopped(box: Box, system: System) -> None:
    started = box.post("/processes", json={"command": "echo hello; exec sleep 302", "name": "web"}).json()
    assert started["pid"].isdigit()
    assert started["status"] == "running"
    system.wait(lambda: box.get(f"/processes/{started['pid']}/logs").json() == "hello\n", "its first line")
    assert [process["name"] for process in box.get("/processes").json()["data"]] == ["web"]
    assert box.client.delete(box.at(f"/processes/{started['pid']}")).status_code == 204
    ended = box.get("/processes/web").json()
    assert (ended["status"], ended["exit_code"]) == ("exited", 143)


def test_a_terminal_is_a_terminal(box: Box) -> None:
    with terminal(box, "command=stty+size;+test+-t+0+%26%26+echo+tty&rows=33&cols=77") as socket:
        said, ended = until_exit(socket)
    assert b"33 77" in said
    assert b"tty" in said
    assert ended["exit_code"] == 0


def test_a_terminal_takes_input_size_and_signals(box: Box) -> None:
    with terminal(box, "command=trap+'echo+caught'+INT;+read+line;+echo+got+$line;+stty+size;+exit+5") as socket:
        socket.send(json.dumps({"type": "resize", "rows": 50, "cols": 100}))
        socket.send(b"typed\n")
        said, ended = until_exit(socket)
    assert b"got typed" in said
    assert b"50 100" in said
    assert ended["exit_code"] == 5


def test_pipes_keep_the_two_streams_apart_and_close_the_input(box: Box) -> None:
    with terminal(box, "tty=false&env=A%3Db%3Dc&command=cat;+echo+$A;+echo+err+>%262") as socket:
        socket.send(b"in\n")
        socket.send(json.dumps({"type": "stdin_close"}))
        said, _ = until_exit(socket)
    assert b"\x01in\n" in said
    assert b"b=c\n" in said
    assert b"\x02err\n" in said


def test_a_terminal_that_is_closed_ends_its_command(box: Box, system: System) -> None:
    with terminal(box, "command=echo+ready;+sleep+303") as socket:
        assert b"ready" in socket.recv()
    system.wait(lambda: running(box, "sleep 303") == [], "the command to be gone")


def test_what_was_opened_with_a_key_ends_when_the_key_is_deleted(box: Box, system: System) -> None:
    made = box.client.post("/api-keys", json={"name": "short", "scopes": ["sandboxes:read", "sandboxes:write"]}).json()["data"]
    box.client.headers["authorization"], admin = f"Bearer {made['token']}", box.client.headers["authorization"]
    with terminal(box, "command=echo+ready;+sleep+304") as socket:
        assert b"ready" in socket.recv()
        with box.client.stream("POST", box.at("/exec/stream"), json={"command": "echo ready; sleep 305"}) as answer:
            assert any("ready" in line for line in answer.iter_lines() if line.startswith("data"))
            box.client.headers["authorization"] = admin
            assert box.client.delete(f"/api-keys/{made['id']}").status_code == 204
            system.wait(lambda: running(box, "sleep 304") + running(box, "sleep 305") == [], "the commands to be gone")


def test_gos_computer_routes_run_and_move_files(box: Box) -> None:
    computer = box.client.get(f"/computers/{box.id}").json()
    assert (computer["id"], computer["status"]) == (box.id, "running")
    result = box.client.post(f"/computers/{box.id}/exec", json={"command": "echo hi"}).json()
    assert (result["output"], result["exit_code"], result["success"]) == ("hi\n", 0, True)
    files = {"file": ("a.txt", b"content", "text/plain")}
    assert box.client.post(f"/computers/{box.id}/files/upload", data={"path": "/workspace/a.txt"}, files=files).is_success
    assert box.client.get(f"/computers/{box.id}/files/download", params={"path": "/workspace/a.txt"}).content == b"content"


def running(box: Box, command: str) -> list[str]:
    """Processes inside whose command line is this."""
    listed = box.run("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done 2>/dev/null")["stdout"]
    return [line for line in listed.splitlines() if line.strip() == command]


def terminal(box: Box, query: str) -> Any:
    """A socket to the terminal route."""
    url = str(box.client.base_url).replace("http", "ws").rstrip("/") + box.at(f"/terminal/stream?{query}")
    return open_socket(url, additional_headers={"Authorization": box.client.headers["authorization"]})


def until_exit(socket: Any) -> tuple[bytes, dict[str, Any]]:
    """All output, and the exit message."""
    said = b""
    while True:
        message = socket.recv(timeout=20)
        if isinstance(message, str):
            return said, json.loads(message)
        said += message
