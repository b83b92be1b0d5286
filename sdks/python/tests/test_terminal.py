"""Terminals over a WebSocket, against a real one."""

import json
import threading
from urllib.parse import parse_qsl, urlsplit

import pytest
from openmiosa import AsyncMiosa, ConnectionLostError, Miosa, NotFoundError
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

RUNNING = {"id": "sbx_1", "name": "agent", "state": "running"}


class Shell:
    """A command that greets, repeats what it is sent, and exits with the number that it is told."""

    def __init__(self) -> None:
        self.path = ""
        self.said: list[str] = []
        self._server = serve(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _talk(self, socket):
        self.path = socket.request.path
        socket.send(b"\x02hello" if "tty=false" in self.path else b"hello")
        try:
            for message in socket:
                if isinstance(message, str):
                    self.said.append(message)
                elif message.startswith(b"exit "):
                    socket.send(json.dumps({"type": "exit", "exit_code": int(message[5:])}))
                    return
                elif message.startswith(b"big "):
                    socket.send(b"\x01" + b"x" * int(message[4:]))
                elif message == b"fall behind":
                    socket.send(json.dumps({"type": "gap", "stream": "stdout", "from": 10, "to": 25}))
                elif message == b"vanish":
                    return
                else:
                    socket.send(b"\x01" + message if "tty=false" in self.path else message)
        except ConnectionClosed:
            return

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()


@pytest.fixture
def far():
    """The far end of a terminal."""
    made = Shell()
    yield made
    made.stop()


@pytest.fixture
def box(far):
    """A sandbox whose terminal is `far`; its record is known already."""
    from openmiosa._sync.sandboxes import Sandbox
    from openmiosa.models import SandboxInfo

    with Miosa("msk_x", far.url) as client:
        yield Sandbox(client._transport, SandboxInfo.from_json(RUNNING))


def test_a_large_piece_of_output_arrives_whole(box, far):
    with box.shell(tty=False) as terminal:
        terminal.send("big 4000000")
        terminal.send("exit 0")
        assert sum(len(one.data) for one in terminal if one.stream == "stdout") == 4_000_000


def test_output_that_was_lost_is_counted(box, far):
    with box.shell(tty=False) as terminal:
        terminal.send("fall behind")
        terminal.send("exit 0")
        terminal.wait()
        assert terminal.lost == 15


def test_bytes_go_both_ways_and_the_exit_code_is_last(box, far):
    with box.shell() as terminal:
        output = iter(terminal)
        assert next(output).data == b"hello"
        terminal.send("ls\n")
        assert next(output).data == b"ls\n"
        terminal.send("exit 7")
        assert list(output) == []
        assert terminal.exit_code == 7


def test_without_a_terminal_the_streams_are_apart(box, far):
    with box.shell("cat", tty=False) as terminal:
        output = iter(terminal)
        greeting = next(output)
        terminal.send(b"x")
        assert [(greeting.stream, greeting.data), (one := next(output)).stream, one.data] == [("stderr", b"hello"), "stdout", b"x"]
        terminal.send("exit 0")
        assert terminal.wait() == 0


def test_size_signals_and_the_end_of_input_are_messages(box, far):
    with box.shell(rows=30, cols=100) as terminal:
        terminal.resize(50, 132)
        terminal.send_signal("SIGINT")
        terminal.close_stdin()
        terminal.send("exit 0")
        terminal.wait()
    assert [json.loads(one) for one in far.said] == [
        {"type": "resize", "rows": 50, "cols": 132},
        {"type": "signal", "signal": "SIGINT"},
        {"type": "stdin_close"},
    ]


def test_a_list_is_run_as_it_is(box, far):
    with box.shell(["printf", "%s", "a b"], tty=False) as terminal:
        terminal.send("exit 0")
        terminal.wait()
    assert [value for name, value in parse_qsl(urlsplit(far.path).query) if name == "argv"] == ["printf", "%s", "a b"]


def test_the_command_and_its_surroundings_are_in_the_query(box, far):
    with box.shell("top -d 1", cwd="/tmp", env={"A": "1", "B": "x y"}, rows=30, cols=100) as terminal:
        terminal.send("exit 0")
        terminal.wait()
    assert far.path.startswith("/api/v1/sandboxes/sbx_1/terminal/stream?")
    for part in ("command=top", "cwd=", "rows=30", "cols=100", "tty=true", "env=A%3D1", "env=B%3Dx"):
        assert part in far.path


def test_a_terminal_that_vanishes_is_said(box, far):
    with box.shell() as terminal:
        terminal.send("vanish")
        with pytest.raises(ConnectionLostError, match="before the command ended"):
            terminal.wait()


def test_the_callers_own_error_passes_through(box, far):
    with pytest.raises(ZeroDivisionError), box.shell():
        raise ZeroDivisionError


def test_a_terminal_of_no_sandbox_is_not_found(server, sandbox):
    server.answers("GET", "/sandboxes/sbx_1", {"error": {"code": "NOT_FOUND", "message": "destroyed"}}, 404)
    with pytest.raises(NotFoundError, match="destroyed"), sandbox.shell():
        pass


@pytest.mark.anyio
async def test_an_asynchronous_terminal_does_the_same(far):
    from openmiosa._async.sandboxes import AsyncSandbox
    from openmiosa.models import SandboxInfo

    async with AsyncMiosa("msk_x", far.url) as client:
        box = AsyncSandbox(client._transport, SandboxInfo.from_json(RUNNING))
        async with box.shell() as terminal:
            await terminal.send("exit 3")
            assert [one.data async for one in terminal] == [b"hello"]
            assert terminal.exit_code == 3
        with pytest.raises(ZeroDivisionError):
            async with box.shell():
                raise ZeroDivisionError
