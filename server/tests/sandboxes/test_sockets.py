"""What the published clients say over WebSockets: commands in three dialects, tunnels, changes, terminals made before."""

import json
import struct
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from openmiosa_server.testing import System
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .conftest import Box


class Dial:
    """Opens sockets below the API."""

    def __init__(self, system: System) -> None:
        self._base = system.base_url.replace("http", "ws", 1) + "/api/v1"
        self._key = {"Authorization": f"Bearer {system.api_key}"}

    def __call__(self, path: str, *, subprotocols: list[str] | None = None, **query: Any) -> ClientConnection:
        """One, open."""
        url = f"{self._base}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        return connect(url, additional_headers=self._key, subprotocols=subprotocols, proxy=None, open_timeout=30)


@pytest.fixture
def dial(system: System) -> Dial:
    """For this system."""
    return Dial(system)


def refusal(dial: Dial, path: str, **query: Any) -> tuple[int, str]:
    """The status and the code of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as raised:
        dial(path, **query)
    return raised.value.response.status_code, json.loads(raised.value.response.body)["code"]


def heard(socket: ClientConnection) -> list[Any]:
    """Every frame until the server closes."""
    frames = []
    try:
        while True:
            frames.append(socket.recv(timeout=30))
    except ConnectionClosed:
        return frames


def test_python_hears_a_command_in_json(box: Box, dial: Dial):
    query = {"command": "sh", "args": "-c,cat; echo $A >&2; exit 3", "env": json.dumps({"A": "b"})}
    with dial(f"/computers/{box.id}/exec/stream", **query) as socket:
        socket.send(json.dumps({"type": "stdin", "data": "é\n"}))
        socket.send(json.dumps({"type": "stdin_close"}))
        frames = [json.loads(frame) for frame in heard(socket)]
    said = {kind: "".join(frame["data"] for frame in frames if frame["type"] == kind) for kind in ("stdout", "stderr")}
    assert said == {"stdout": "é\n", "stderr": "b\n"}
    assert (frames[-1]["type"], frames[-1]["code"]) == ("exit", 3)


def test_python_ends_a_command_by_a_signal(box: Box, dial: Dial):
    with dial(f"/computers/{box.id}/exec/stream", command="sleep", args="60") as socket:
        socket.send(json.dumps({"type": "signal", "signal": "SIGKILL"}))
        assert json.loads(heard(socket)[-1])["code"] == 137


def test_typescript_hears_a_command_in_bytes(box: Box, dial: Dial):
    query = {"command": "sh", "args": ["-c", "read line; echo got $line $A; echo bad >&2; exit 7"], "env": ["A=1"]}
    with dial(f"/computers/{box.id}/exec/stream", subprotocols=["miosa-exec-v1"], **query) as socket:
        assert socket.subprotocol == "miosa-exec-v1"
        socket.send(b"\x00hello\n")
        frames = heard(socket)
    assert b"".join(frame[1:] for frame in frames if frame[0] == 1) == b"got hello 1\n"
    assert b"".join(frame[1:] for frame in frames if frame[0] == 2) == b"bad\n"
    assert struct.unpack(">BI", frames[-1]) == (3, 7)


def test_typescript_resizes_a_terminal(box: Box, dial: Dial):
    query = {"command": "sh", "args": ["-c", "read _; stty size"], "tty": "true", "rows": 10, "cols": 20}
    with dial(f"/computers/{box.id}/exec/stream", subprotocols=["miosa-exec-v1"], **query) as socket:
        socket.send(b"\x05" + struct.pack(">HH", 40, 120))
        socket.send(b"\x00\n")
        assert b"40 120" in b"".join(frame[1:] for frame in heard(socket) if frame[0] == 1)


def test_go_spawns_a_command_at_a_terminal(box: Box, dial: Dial):
    with dial(f"/computers/{box.id}/exec/spawn", command="read x; echo got $x; exit 4", rows=24, cols=80) as socket:
        socket.send(b"raw\n")
        *output, last = heard(socket)
    assert b"got raw" in b"".join(frame[1:] for frame in output)
    assert (json.loads(last)["type"], json.loads(last)["exit"]) == ("exit", 4)


SERVER = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line.upper())
socketserver.TCPServer(("127.0.0.1", 7000), Echo).serve_forever()
"""


@pytest.mark.parametrize("kind", ["sandboxes", "computers"])
def test_a_tunnel_carries_the_bytes_of_a_server_inside(box: Box, dial: Dial, kind: str):
    box.post("/processes", json={"argv": ["python3", "-c", SERVER]})
    box.run("until (exec 3<>/dev/tcp/127.0.0.1/7000) 2>/dev/null; do :; done", timeout=20)
    with dial(f"/{kind}/{box.id}/tunnel/7000") as socket:
        socket.send(b"hello\n")
        assert socket.recv(timeout=20) == b"HELLO\n"


def test_a_tunnel_to_where_nobody_listens_is_refused(box: Box, dial: Dial):
    assert refusal(dial, f"/sandboxes/{box.id}/tunnel/7001") == (409, "NOTHING_LISTENS")
    assert refusal(dial, f"/sandboxes/{box.id}/ssh-tunnel") == (409, "NOTHING_LISTENS")
    assert refusal(dial, f"/sandboxes/{box.id}/tunnel/70000") == (422, "INVALID")


def test_changes_and_processes_are_heard_by_who_subscribes(box: Box, dial: Dial):
    with dial(f"/computers/{box.id}/events", subprotocols=["miosa-events-v1"], subscribe="file,process") as socket:
        assert socket.subprotocol == "miosa-events-v1"
        box.run("touch seen")
        kinds: dict[str, Any] = {}
        while not {"file.created", "process.started", "process.exited"} <= kinds.keys():
            frame = json.loads(socket.recv(timeout=20))
            kinds[frame["type"]] = frame["payload"]
    assert kinds["file.created"]["path"] == "/workspace/seen"
    assert kinds["process.exited"]["exit_code"] == 0


def test_what_a_sandbox_has_not_cannot_be_subscribed_to(box: Box, dial: Dial):
    assert refusal(dial, f"/computers/{box.id}/events", subscribe="window") == (501, "NOT_SUPPORTED")
    assert refusal(dial, f"/computers/{box.id}/events", subscribe="weather") == (422, "INVALID")


def test_a_terminal_is_made_looked_at_left_and_looked_at_again(box: Box, dial: Dial):
    made = box.post("/terminal", json={"rows": 30, "cols": 100, "shell": "/bin/sh", "env": {"PS1": "$ "}}).json()["data"]
    with dial(made["socket"]) as socket:
        socket.send(b"stty size; echo first-$((1+1))\n")
        seen = b""
        while b"first-2" not in seen:
            seen += socket.recv(timeout=20)
    assert b"30 100" in seen
    with dial(made["socket"]) as again:
        seen = b""
        while b"first-2" not in seen:
            seen += again.recv(timeout=20)
    assert box.client.delete(box.at(f"/terminal/{made['id']}")).status_code == 204
    assert box.get(f"/processes/{made['id']}").json()["status"] == "exited"


def test_only_a_terminal_is_deleted_as_one(box: Box):
    started: httpx2.Response = box.post("/processes", json={"command": "sleep 60"})
    assert box.client.delete(box.at(f"/terminal/{started.json()['id']}")).status_code == 404
