"""Sandboxes, their commands, processes and files."""

import base64
import io

import pytest
from openmiosa import CommandFailedError, ConnectionLostError, SandboxFailedError, ServerError, UnavailableError, WaitTimeoutError

CONTENT = "/sandboxes/sbx_1/fs/content"
RUNNING = {"id": "sbx_1", "name": "agent", "state": "running"}


def test_create_sends_what_was_given_and_nothing_else(server, client):
    server.answers("POST", "/sandboxes", {"data": RUNNING}, 201)
    sandbox = client.sandboxes.create("agent", template="python", env={"A": "1"}, tags=["x"])
    assert (sandbox.id, sandbox.name, sandbox.state) == ("sbx_1", "agent", "running")
    assert server.seen[0].body == {"name": "agent", "template_id": "python", "env": {"A": "1"}, "tags": ["x"]}
    assert server.seen[0].query == {"wait": "true"}


def test_create_waits_until_it_runs(server, client):
    starting = {"data": {**RUNNING, "state": "provisioning"}}
    server.answers("POST", "/sandboxes", starting, 201)
    server.on("GET", "/sandboxes/sbx_1", server.reply(200, starting), server.reply(200, {"data": RUNNING}))
    assert client.sandboxes.create().state == "running"


def test_create_without_waiting_asks_nothing_more(server, client):
    server.answers("POST", "/sandboxes", {"data": {**RUNNING, "state": "provisioning"}}, 201)
    assert client.sandboxes.create(wait=False).state == "provisioning"
    assert server.seen[0].query == {}


def test_a_sandbox_that_failed_is_said(server, client):
    server.answers("POST", "/sandboxes", {"data": {**RUNNING, "state": "error"}}, 201)
    with pytest.raises(SandboxFailedError, match="agent is error"):
        client.sandboxes.create("agent")


def test_waiting_ends(server, client):
    server.answers("POST", "/sandboxes", {"data": {**RUNNING, "state": "provisioning"}}, 201)
    server.answers("GET", "/sandboxes/sbx_1", {"data": {**RUNNING, "state": "provisioning"}})
    with pytest.raises(WaitTimeoutError):
        client.sandboxes.create(wait_timeout=0.05)


def test_get_or_create_creates_only_what_is_not_there(server, client):
    server.on("GET", "/sandboxes/by-name/agent", server.reply(404, {}), server.reply(200, {"data": RUNNING}))
    server.answers("POST", "/sandboxes", {"data": RUNNING}, 201)
    client.sandboxes.get_or_create("agent")
    client.sandboxes.get_or_create("agent")
    assert len(server.requests("POST", "/sandboxes")) == 1


def test_get_or_create_takes_the_one_that_someone_else_just_made(server, client):
    server.on("GET", "/sandboxes/by-name/agent", server.reply(404, {}), server.reply(200, {"data": RUNNING}))
    server.answers("POST", "/sandboxes", {"error": {"code": "NAME_TAKEN", "message": "taken"}}, 409)
    assert client.sandboxes.get_or_create("agent").id == "sbx_1"


def test_get_or_create_resumes_what_is_paused(server, client):
    server.answers("GET", "/sandboxes/by-name/agent", {"data": {**RUNNING, "state": "paused"}})
    server.answers("POST", "/sandboxes/sbx_1/resume", {"data": RUNNING})
    assert client.sandboxes.get_or_create("agent").state == "running"


def test_the_list_goes_from_page_to_page(server, client):
    first = {"data": [{**RUNNING, "id": "sbx_1"}], "next_cursor": "c1"}
    server.on("GET", "/sandboxes", server.reply(200, first), server.reply(200, {"data": [{**RUNNING, "id": "sbx_2"}]}))
    assert [one.id for one in client.sandboxes.list(state="running")] == ["sbx_1", "sbx_2"]
    assert [one.query for one in server.seen] == [{"state": "running"}, {"state": "running", "cursor": "c1"}]


def test_a_list_can_be_walked_twice(server, client):
    server.answers("GET", "/sandboxes", {"data": [RUNNING]})
    pages = client.sandboxes.list()
    assert len(pages.all()) == len(pages.all()) == 1
    assert pages.first().id == "sbx_1"


def test_a_with_block_destroys_the_sandbox(server, sandbox):
    server.on("DELETE", "/sandboxes/sbx_1", server.reply(204))
    with sandbox:
        pass
    assert len(server.requests("DELETE", "/sandboxes/sbx_1")) == 1


def test_destroying_what_is_gone_is_no_error(sandbox):
    sandbox.destroy()


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("resume", "running"), ("stop", "paused")])
def test_lifecycle_calls_take_the_new_state(server, sandbox, action, state):
    server.answers("POST", f"/sandboxes/sbx_1/{action}", {"data": {**RUNNING, "state": state}})
    assert getattr(sandbox, action)().state == state


def test_a_string_goes_to_a_shell_and_a_list_does_not(server, sandbox):
    server.answers("POST", "/sandboxes/sbx_1/exec", {"data": {"stdout": "hi\n", "stderr": "", "exit_code": 0, "duration_ms": 3}})
    result = sandbox.exec("echo hi", cwd="/tmp", env={"A": "1"}, timeout=5, stdin="x")
    sandbox.exec(["echo", "hi"])
    assert (result.stdout, result.exit_code, result.duration_ms) == ("hi\n", 0, 3)
    bodies = [one.body for one in server.requests("POST", "/sandboxes/sbx_1/exec")]
    assert bodies == [{"command": "echo hi", "cwd": "/tmp", "env": {"A": "1"}, "timeout": 5, "stdin": "x"}, {"argv": ["echo", "hi"]}]


def test_an_answer_padded_with_blanks_is_read(server, sandbox):
    server.on("POST", "/sandboxes/sbx_1/exec", server.reply(200, b'   {"data": {"exit_code": 4}}'))
    assert sandbox.exec("x").exit_code == 4


def test_a_failure_after_the_status_was_sent_is_an_error(server, sandbox):
    late = {"data": {"stdout": "", "exit_code": 255, "error": {"code": "RUNTIME_UNAVAILABLE", "message": "cell is gone", "retry": True}}}
    server.answers("POST", "/sandboxes/sbx_1/exec", late)
    with pytest.raises(ServerError, match="cell is gone"):
        sandbox.exec("x")


def test_check_raises_with_the_output(server, sandbox):
    server.answers("POST", "/sandboxes/sbx_1/exec", {"data": {"stdout": "", "stderr": "no such file", "exit_code": 2}})
    with pytest.raises(CommandFailedError, match="no such file") as caught:
        sandbox.exec("cat x").check()
    assert caught.value.result.exit_code == 2


def test_streamed_output_is_exact(server, sandbox):
    server.streams(
        "POST",
        "/sandboxes/sbx_1/exec/stream",
        ": open\n\n",
        'event: stdout\ndata: {"type":"stdout","line":"one"}\n\n',
        'event: stderr\ndata: {"type":"stderr","line":"two"}\n\n',
        ": hb\n\n",
        'event: stdout\ndata: {"type":"stdout","line":"no end","partial":true}\n\nevent: ex',
        'it\ndata: {"type":"exit","exit_code":3,"exitCode":3}\n\n',
    )
    events = list(sandbox.exec_stream("x"))
    assert [(one.type, one.data) for one in events[:-1]] == [("stdout", "one\n"), ("stderr", "two\n"), ("stdout", "no end")]
    assert (events[-1].type, events[-1].exit_code) == ("exit", 3)


def test_a_stream_that_ends_before_its_command_is_said(server, sandbox):
    server.streams("POST", "/sandboxes/sbx_1/exec/stream", 'data: {"type":"stdout","line":"one"}\n\n')
    with pytest.raises(ConnectionLostError, match="may still be running"):
        list(sandbox.exec.stream("x"))


def test_a_stream_refused_is_the_apis_error(server, sandbox):
    refusal = {"error": {"code": "RUNTIME_UNAVAILABLE", "message": "no cell", "retry": True}}
    server.answers("POST", "/sandboxes/sbx_1/exec/stream", refusal, 503)
    with pytest.raises(UnavailableError, match="no cell"):
        list(sandbox.exec_stream("x"))
    assert len(server.requests("POST", "/sandboxes/sbx_1/exec/stream")) == 1


def test_a_stream_that_ends_with_an_error_raises_it(server, sandbox):
    server.streams("POST", "/sandboxes/sbx_1/exec/stream", 'event: error\ndata: {"type":"error","code":"GONE","message":"cell died"}\n\n')
    with pytest.raises(ServerError, match="cell died"):
        list(sandbox.exec_stream("x"))


def test_processes_are_flat_and_their_numbers_text(server, sandbox):
    server.answers("POST", "/sandboxes/sbx_1/processes", {"pid": "42", "command": "sleep 9", "status": "running", "exit_code": None})
    server.answers("GET", "/sandboxes/sbx_1/processes/42", {"pid": "42", "status": "exited", "exit_code": 0})
    server.answers("GET", "/sandboxes/sbx_1/processes/42/logs", "line\n")
    started = sandbox.processes.start("sleep 9")
    assert started.pid == 42
    assert sandbox.processes.wait(started.pid).exit_code == 0
    assert sandbox.processes.logs(42) == "line\n"


def test_files_are_written_as_base64(server, sandbox):
    server.answers("POST", "/sandboxes/sbx_1/fs/write", {"data": {}})
    sandbox.files.write("/workspace/a.txt", "é")
    sent = server.requests("POST", "/sandboxes/sbx_1/fs/write")[0].body
    assert sent == {"path": "/workspace/a.txt", "content_base64": base64.b64encode("é".encode()).decode()}


def test_long_content_is_sent_as_it_is(server, sandbox):
    server.answers("PUT", CONTENT, {"data": {}})
    sandbox.files.write("/workspace/long.txt", "é" * 1_100_000)
    assert server.requests("PUT", CONTENT)[0].body == "é".encode() * 1_100_000


def test_a_json_file_is_read_as_its_bytes(server, sandbox):
    server.on("GET", "/sandboxes/sbx_1/fs/download", server.reply(200, b'{"a": 1}', {"Content-Type": "application/octet-stream"}))
    assert sandbox.files.read("/workspace/my file.json") == b'{"a": 1}'
    assert server.requests("GET", "/sandboxes/sbx_1/fs/download")[0].query == {"path": "/workspace/my file.json"}


def test_a_folder_is_sent_file_by_file(server, sandbox, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.py").write_text("a")
    (tmp_path / "in" / "b.py").write_text("b")
    (tmp_path / "empty").mkdir()
    server.answers("PUT", CONTENT, {"data": {}})
    server.answers("POST", "/sandboxes/sbx_1/fs/mkdir", {"data": {}})
    told: list[tuple[int, int | None]] = []
    sandbox.files.upload(tmp_path, "/workspace/app/", progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert server.requests("POST", "/sandboxes/sbx_1/fs/mkdir")[0].body["path"] == "/workspace/app/empty"
    sent = server.requests("PUT", CONTENT)
    assert [one.query["path"] for one in sent] == ["/workspace/app/a.py", "/workspace/app/in/b.py"]


def test_a_file_is_sent_as_it_is_with_its_mode_and_its_size(server, sandbox, tmp_path):
    (tmp_path / "run.sh").write_bytes(b"#!/bin/sh\n\x00\xff")
    (tmp_path / "run.sh").chmod(0o755)
    server.answers("PUT", CONTENT, {"data": {}})
    sandbox.files.upload(tmp_path / "run.sh", "/workspace/run.sh")
    [sent] = server.requests("PUT", CONTENT)
    assert sent.query == {"path": "/workspace/run.sh", "mode": "0755"}
    assert sent.body == b"#!/bin/sh\n\x00\xff"
    assert (sent.headers["content-length"], sent.headers["content-type"]) == ("12", "application/octet-stream")


@pytest.mark.parametrize(
    ("source", "size"),
    [(b"abc" * 50_000, 150_000), (io.BytesIO(b"abc" * 50_000), 150_000), ((b"abc" for _ in range(50_000)), None)],
    ids=["bytes", "file", "generator"],
)
def test_what_is_not_on_disk_is_streamed_too(server, sandbox, source, size):
    told: list[tuple[int, int | None]] = []
    server.answers("PUT", CONTENT, {"data": {}})
    sandbox.files.upload(source, "/workspace/big", progress=lambda done, total: told.append((done, total)))
    assert server.requests("PUT", CONTENT)[0].body == b"abc" * 50_000
    assert told[-1] == (150_000, size)
    assert len(told) > 2, "it is never whole in memory"


def test_an_upload_that_can_be_read_again_is_repeated(server, sandbox):
    busy = server.reply(503, {"error": {"code": "UNAVAILABLE", "message": "later"}})
    server.on("PUT", CONTENT, busy, server.reply(200, {"data": {}}))
    sandbox.files.upload(io.BytesIO(b"abc"), "/workspace/a")
    assert [one.body for one in server.requests("PUT", CONTENT)] == [b"abc", b"abc"]


def test_an_upload_that_can_be_read_once_is_not_repeated(server, sandbox):
    server.answers("PUT", CONTENT, {"error": {"code": "UNAVAILABLE", "message": "later"}}, 503)
    with pytest.raises(UnavailableError):
        sandbox.files.upload(iter([b"abc"]), "/workspace/a")
    assert len(server.requests("PUT", CONTENT)) == 1


def test_a_download_tells_how_far_it_is(server, sandbox):
    server.on("GET", "/sandboxes/sbx_1/fs/download", server.reply(200, b"whole"))
    told: list[tuple[int, int | None]] = []
    out = io.BytesIO()
    sandbox.files.download("/workspace/big", out, progress=lambda done, total: told.append((done, total)))
    assert (out.getvalue(), told) == (b"whole", [(5, 5)])


def test_several_paths_are_exported_together(server, sandbox, tmp_path):
    server.on("GET", "/sandboxes/sbx_1/exports/download", server.reply(200, b"tar.gz"))
    assert sandbox.files.export() == b"tar.gz"
    sandbox.files.export(["/workspace/a", "/workspace/b"], to=tmp_path / "out.tar.gz")
    assert (tmp_path / "out.tar.gz").read_bytes() == b"tar.gz"
    first, second = server.requests("GET", "/sandboxes/sbx_1/exports/download")
    assert (first.query, second.target.partition("?")[2]) == (
        {"path": "/workspace"},
        "paths%5B%5D=%2Fworkspace%2Fa&paths%5B%5D=%2Fworkspace%2Fb",
    )


def test_a_download_that_breaks_leaves_no_half_file(server, sandbox, tmp_path):
    server.on("GET", "/sandboxes/sbx_1/fs/download", server.reply(200, chunks=[b"half"], drop=True))
    (tmp_path / "kept").write_text("old")
    with pytest.raises(ConnectionLostError):
        sandbox.files.download("/workspace/big", tmp_path / "kept")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_download_appears_under_its_name(server, sandbox, tmp_path):
    server.on("GET", "/sandboxes/sbx_1/fs/download", server.reply(200, b"whole"))
    sandbox.files.download("/workspace/big", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == b"whole"
