"""Rows 18 to 21: commands, processes, and the computer routes."""

from typing import Any

import pytest

from .drive import Follower, until

method = pytest.mark.method


@method(18, "sandbox.exec()")
def test_a_command_answers_both_streams_and_its_exit_code(box: Any):
    result = box.exec("echo out; echo err >&2; exit 3")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert result.duration_ms >= 0


@method(18, "sandbox.exec.run")
@method(18, "sandbox.run")
def test_a_command_has_its_folder_its_variables_and_its_limit(box: Any):
    options = {"cwd": "/tmp", "env": {"COLOUR": "blue"}}
    assert box.exec.run("echo $PWD $COLOUR", options).stdout == "/tmp blue\n"
    assert box.run("sleep 30", {"timeout": 1}).exit_code != 0


@method(18, "commands.run")
def test_commands_run_runs(box: Any):
    assert box.commands.run("echo $((6 * 7))").stdout == "42\n"


@method(19, "exec.stream")
def test_a_stream_gives_lines_as_they_come_and_the_exit_code_last(box: Any):
    events = list(box.exec.stream("echo one; echo two >&2; exit 3"))
    assert {(event.type, event.data["line"]) for event in events[:-1]} == {("stdout", "one"), ("stderr", "two")}
    assert (events[-1].type, events[-1].data["exit_code"]) == ("exit", 3)


@method(19, "exec_stream")
@method(19, "commands.stream")
def test_a_line_arrives_before_the_command_has_ended(box: Any):
    for stream in (box.exec_stream, box.commands.stream):
        begun = Follower(lambda stream=stream: stream("echo first; sleep 300"), bool)
        assert begun.result()[0].data["line"] == "first"


@method(19, "exec.stream: separators")
def test_line_separators_of_unicode_split_nothing(box: Any):
    events = list(box.exec.stream("printf 'a\\342\\200\\250b\\302\\205c\\n'"))
    assert events[0].data["line"] == "a\u2028b\u0085c"


@method(20, "processes.start")
@method(20, "processes.get")
def test_a_process_runs_until_it_ends(own: Any):
    own.exec("mkfifo /workspace/go")
    made = own.processes.start('read line < /workspace/go; exit "$CODE"', name="waits", env={"CODE": "5"})
    assert (made["name"], made["status"], made["pid"].isdigit()) == ("waits", "running", True)
    assert own.processes.get(made["pid"])["exit_code"] is None
    own.exec("echo > /workspace/go")
    until(lambda: own.processes.get(made["pid"])["exit_code"] == 5, "the process to end with its code")


@method(20, "processes.list")
def test_processes_are_listed(own: Any):
    pids = [own.processes.start("sleep 300")["pid"] for _ in range(2)]
    assert set(pids) <= {process["pid"] for process in own.processes.list()}


@method(20, "processes.stream")
@method(20, "processes.logs")
def test_a_process_is_followed_to_its_end_and_its_lines_are_kept(own: Any):
    pid = own.processes.start("for n in 1 2 3; do echo line $n; done; exit 4")["pid"]
    events = list(own.processes.stream(pid))
    assert [event["line"] for event in events if "line" in event] == ["line 1", "line 2", "line 3"]
    assert events[-1]["exit_code"] == 4
    assert own.processes.logs(pid, tail=2) == "line 2\nline 3\n"


@method(20, "processes.stop")
def test_a_stopped_process_has_ended(own: Any):
    pid = own.processes.start("sleep 300")["pid"]
    own.processes.stop(pid)
    assert own.processes.get(pid)["status"] == "exited"


@method(20, "commands.run(background=True)")
def test_a_background_command_has_a_number_a_status_and_an_end(own: Any):
    process = own.commands.run("sleep 300", background=True)
    assert process.pid > 0
    assert process.status()["exit_code"] is None
    process.kill()
    assert process.status()["status"] == "exited"


@method(21, "computers.get")
@method(21, "computer.bash")
def test_a_sandbox_is_a_computer_that_runs_commands(client: Any, box: Any):
    computer = client.computers.get(box.id)
    assert (computer.id, computer.name, computer.status) == (box.id, box.name, "running")
    assert computer.bash("echo hello").stdout == "hello\n"


@method(21, "computer.python")
def test_a_computer_runs_python(client: Any, box: Any):
    assert client.computers.get(box.id).python("print(6 * 7)").stdout == "42\n"


@method(21, "computer.write_file")
@method(21, "computer.read_file")
def test_a_computer_writes_and_reads_a_file(client: Any, own: Any):
    computer = client.computers.get(own.id)
    computer.write_file("/workspace/x", "written")
    assert computer.read_file("/workspace/x") == "written"
