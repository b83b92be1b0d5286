"""The client and the command against the real system: server, egressd and cell, and an upstream with real TLS."""

import itertools
import json
import os
import pty
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from openmiosa import (
    AsyncMiosa,
    AuthenticationError,
    BadRequestError,
    CommandFailedError,
    InsufficientScopeError,
    Miosa,
    NameTakenError,
    NoRulesError,
    NotFoundError,
)
from openmiosa_server.testing import System

from tests.kit.authority import Authority

HOST = "api.upstream.test"
# What an agent does: an ordinary library, no word of this project. Prints status and body.
CALL = """
import os, sys, urllib.error, urllib.request
headers = {{"Authorization": "Bearer " + os.environ.get("UPSTREAM_KEY", "none")}}
request = urllib.request.Request("https://{host}/v1/things", headers=headers)
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


class Upstream:
    """An API that answers with 200 and remembers the credentials that it saw."""

    def __init__(self) -> None:
        self.credentials: list[str] = []
        self.authority = Authority("upstream")
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                upstream.credentials.append(self.headers["Authorization"])
                self.send_response(200)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"fine")

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.socket = self.authority.context(HOST).wrap_socket(self._http.socket, server_side=True)
        self.address = f"127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture(scope="module")
def upstream():
    made = Upstream()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def system(upstream, tmp_path_factory):
    """The system, once for all of these tests."""
    authority = tmp_path_factory.mktemp("upstream") / "authority.pem"
    authority.write_bytes(upstream.authority.pem)
    os.chmod(authority.parent, 0o755)
    with System(static_hosts={f"{HOST}:443": upstream.address}, extra_ca_files=[authority]) as made:
        yield made


@pytest.fixture(scope="module")
def api(system):
    with Miosa(system.api_key, system.base_url) as made:
        yield made


@pytest.fixture
def box(api):
    """A sandbox that knows how to call the upstream."""
    with api.sandboxes.create() as made:
        made.files.write("/workspace/call.py", CALL.format(host=HOST))
        yield made


def call(box):
    return box.exec("python3 /workspace/call.py").check().stdout.strip()


def test_commands_run_with_their_input_folder_and_variables(box):
    result = box.exec("cat; pwd; echo $A; echo err >&2; exit 3", stdin="in\n", cwd="/tmp", env={"A": "x y"})
    assert (result.stdout, result.stderr, result.exit_code) == ("in\n/tmp\nx y\n", "err\n", 3)
    with pytest.raises(CommandFailedError, match="err"):
        result.check()


def test_an_argument_list_meets_no_shell(box):
    assert box.exec(["echo", "$HOME;", "a  b"]).stdout == "$HOME; a  b\n"


def test_a_timeout_ends_the_command(box):
    assert not box.exec("sleep 60", timeout=0.5).ok


def test_streamed_output_arrives_before_the_command_ends_and_is_exact(box):
    box.exec("mkfifo /workspace/go").check()
    stream = box.exec_stream("printf 'one\\ntwo\\n'; read -r line < /workspace/go; printf '%s' \"$line\"; exit 4")
    assert [next(stream).data, next(stream).data] == ["one\n", "two\n"]
    box.exec("echo three > /workspace/go")
    rest = list(stream)
    assert [(one.type, one.data) for one in rest[:-1]] == [("stdout", "three")]
    assert rest[-1].exit_code == 4


def test_a_process_in_the_background_is_started_watched_and_stopped(box):
    started = box.processes.start("echo begun; exec sleep 600", name="sleeper")
    assert next(box.processes.stream(started.pid)) == "begun"
    assert box.processes.logs(started.pid) == "begun\n"
    assert started.pid in [one.pid for one in box.processes.list()]
    box.processes.stop(started.pid)
    assert box.processes.wait(started.pid, timeout=20).status == "exited"


def test_a_terminal_is_one_and_has_a_size(box):
    with box.shell("stty size; read -r word; stty size; exit $word", rows=30, cols=100) as terminal:
        shown = b""
        for output in terminal:
            shown += output.data
            if b"30 100" in shown and b"sent" not in shown:
                terminal.resize(50, 132)
                terminal.send("5\n")
                shown += b"sent"
        assert b"50 132" in shown
        assert terminal.exit_code == 5


def test_without_a_terminal_streams_are_apart_and_input_ends(box):
    with box.shell("cat; echo err >&2", tty=False) as terminal:
        terminal.send("typed")
        terminal.close_stdin()
        written = {"stdout": b"", "stderr": b""}
        for output in terminal:
            written[output.stream] += output.data
    assert written == {"stdout": b"typed", "stderr": b"err\n"}
    assert terminal.exit_code == 0


def test_files_go_in_and_come_out_as_they_were(box, tmp_path):
    content = bytes(range(256)) * 4096
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "data.bin").write_bytes(content)
    (tmp_path / "in" / "a.json").write_text('{"a": 1}')
    box.files.upload(tmp_path / "in", "/workspace/in")
    box.files.download("/workspace/in/deep/data.bin", tmp_path / "out.bin")
    assert (tmp_path / "out.bin").read_bytes() == content
    assert box.files.read_text("/workspace/in/a.json") == '{"a": 1}'


def test_folders_are_made_listed_and_removed(box):
    box.files.mkdir("/workspace/a/b/c")
    box.files.write("/workspace/a/b/é.txt", "x")
    assert {one.name: one.is_dir for one in box.files.list("/workspace/a/b")} == {"c": True, "é.txt": False}
    assert box.files.stat("/workspace/a/b/é.txt").size == 1
    assert [child.name for child in box.files.tree("/workspace/a").children] == ["b"]
    box.files.delete("/workspace/a", recursive=True)
    assert not box.files.exists("/workspace/a")
    with pytest.raises(NotFoundError):
        box.files.read("/workspace/a/b/é.txt")


def test_a_path_that_climbs_is_refused(box):
    with pytest.raises((BadRequestError, NotFoundError)):
        box.files.read("/workspace/../../etc/shadow")


def test_a_sandbox_is_found_paused_resumed_and_made_once(api):
    with api.sandboxes.get_or_create("twice") as first:
        assert api.sandboxes.get_or_create("twice").id == first.id == api.sandboxes.get("twice").id
        assert first.id in [one.id for one in api.sandboxes.list()]
        with pytest.raises(NameTakenError):
            api.sandboxes.create("twice")
        assert first.pause().state == "paused"
        assert api.sandboxes.get_or_create("twice").exec("echo awake").stdout == "awake\n"
    with pytest.raises(NotFoundError):
        api.sandboxes.get_by_name("twice")


def test_a_secret_is_a_placeholder_inside_and_itself_only_upstream(box, upstream):
    kept = box.secrets.set(name="up_key", value="sk-first-real-value-upstream-a1b2", expose_as_env="UPSTREAM_KEY", allowed_hosts=[HOST])
    inside = box.exec("printenv UPSTREAM_KEY").stdout.strip()
    assert inside.startswith("miosa-tok-")
    assert inside == kept.binding.placeholder
    assert call(box) == "200 fine"
    assert upstream.credentials[-1] == "Bearer sk-first-real-value-upstream-a1b2"
    assert [(one.name, one.preview) for one in box.secrets.list()] == [("up_key", "a1b2")]


def test_a_rotation_by_name_counts_at_once_and_keeps_the_placeholder(box, upstream):
    box.secrets.set(name="up_key", value="sk-first-real-value-upstream-a1b2", expose_as_env="UPSTREAM_KEY", allowed_hosts=[HOST])
    before = box.exec("printenv UPSTREAM_KEY").stdout
    call(box)
    assert box.secrets.rotate("up_key", new_value="sk-second-real-value").version == 2
    call(box)
    assert upstream.credentials[-2:] == ["Bearer sk-first-real-value-upstream-a1b2", "Bearer sk-second-real-value"]
    assert box.exec("printenv UPSTREAM_KEY").stdout == before


def test_a_deleted_secret_is_gone(box):
    box.secrets.set(name="up_key", value="sk-first-real-value-upstream-a1b2", expose_as_env="UPSTREAM_KEY", allowed_hosts=[HOST])
    box.secrets.delete("up_key")
    assert box.exec("printenv UPSTREAM_KEY").stdout == ""
    with pytest.raises(NotFoundError):
        box.secrets.get("up_key")


def test_a_lockdown_is_guided_by_what_was_seen(box):
    call(box)
    with pytest.raises(NoRulesError) as caught:
        box.network.lockdown()
    assert [one.host for one in caught.value.observed] == [HOST]
    assert f"lockdown(hosts=['{HOST}'])" in str(caught.value)
    assert [(one.host, one.count) for one in box.network.suggestions()] == [(HOST, 1)]


def test_after_a_lockdown_only_the_named_hosts_answer(box):
    policy = box.network.lockdown([HOST])
    assert (policy.mode, [rule.host for rule in policy.allow_rules]) == ("enforce", [HOST])
    assert call(box) == "200 fine"
    box.files.write("/workspace/call.py", CALL.format(host="other.example.com"))
    refusal = call(box)
    assert refusal.startswith("403 blocked: 403 MIOSA-Egress-Deny")
    assert [(one.host, one.reason) for one in box.network.pending()] == [("other.example.com", "host-denied")]
    assert box.network.observe().mode == "audit_only"
    assert box.network.get_policy().mode == "audit_only"


def test_rules_come_and_go_by_host(box):
    rule = box.network.allow(HOST, methods=["GET"], path_glob="/v1/*")
    box.network.deny("bad.example.com")
    assert {(one.host, one.effect) for one in box.network.rules()} == {(HOST, "allow"), ("bad.example.com", "deny")}
    box.network.remove("bad.example.com")
    box.network.remove(rule.id)
    assert box.network.rules() == []


def test_every_call_is_an_event_listed_and_exported(box):
    box.secrets.set(name="up_key", value="sk-first-real-value-upstream-a1b2", expose_as_env="UPSTREAM_KEY", allowed_hosts=[HOST])
    with box.audit.tail() as tail:
        call(box)
        event = next(tail)
    assert str(event) == f"[audit] allow {HOST} HTTP 200 secrets=up_key"
    assert (event.request_transforms.secrets.swapped, event.path) == (("up_key",), "/v1/things")
    assert box.audit.get(event.id).host == HOST
    assert [one.id for one in box.audit.list(host=HOST)] == [event.id]
    exported = [json.loads(line) for line in box.audit.export("jsonl", host=HOST).decode().splitlines()]
    assert [one["id"] for one in exported] == [event.id]


def test_a_tail_outlives_the_server_without_gap_or_duplicate(system, box):
    with box.audit.tail() as tail:
        call(box)
        seen = [next(tail).number]
        system.wait_for_restart("server", system.kill("server"))
        for _ in range(3):
            call_when_up(box)
        seen += [event.number for event in itertools.islice(tail, 3)]
    listed = [event.number for event in box.audit.list(host=HOST)]
    assert seen == listed
    assert len(set(seen)) == 4


def call_when_up(box):
    """The client's retries reach over the moments in which the server comes up."""
    return box.processes.wait(box.processes.start("python3 /workspace/call.py").pid, timeout=30)


@pytest.mark.anyio
async def test_an_asynchronous_tail_sees_what_another_client_causes(system, box):
    async with AsyncMiosa(system.api_key, system.base_url) as api:
        there = await api.sandboxes.get(box.id)
        async with there.audit.tail() as tail:
            assert (await there.exec("python3 /workspace/call.py")).ok
            async for event in tail:
                assert str(event) == f"[audit] allow {HOST} HTTP 200 secrets=none"
                break


def test_a_key_does_what_its_scopes_say_until_it_is_deleted(system, api):
    made = api.api_keys.create("reader", scopes=["sandboxes:read"])
    with Miosa(made.token, system.base_url) as reader:
        assert reader.sandboxes.list().all() is not None
        with pytest.raises(InsufficientScopeError) as caught:
            reader.sandboxes.create("never")
        assert caught.value.required == "sandboxes:write"
        api.api_keys.delete(made.id)
        with pytest.raises(AuthenticationError):
            reader.sandboxes.list().all()


def test_a_repeat_under_the_same_key_makes_no_second_sandbox(system, api):
    import httpx2

    headers = {"Authorization": f"Bearer {system.api_key}", "Idempotency-Key": "once-and-no-more"}
    answers = [httpx2.post(f"{api.base_url}/sandboxes", headers=headers, json={"name": "only-one"}).json()["data"]["id"] for _ in range(2)]
    assert answers[0] == answers[1]
    api.sandboxes.delete("only-one")


def openmiosa(system, *words, **options):
    environment = system.environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "openmiosa.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False, **options)


def test_the_command_does_the_same(system, box):
    ran = openmiosa(system, "sandbox", "exec", box.id, "--", "echo out; echo err >&2; exit 9")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("out\n", "err\n", 9)
    stored = openmiosa(system, "secrets", "set", "cli_key", "-", "-s", box.id, "--as", "CLI_KEY", "--host", HOST, input="sk-by-stdin\n")
    assert stored.returncode == 0, stored.stderr
    assert box.exec("printenv CLI_KEY").stdout.startswith("miosa-tok-")
    refused = openmiosa(system, "network", "lockdown", "-s", box.id)
    assert (refused.returncode, "--close-all" in refused.stderr) == (1, True)


def test_doctor_finds_the_system_well(system):
    ran = openmiosa(system, "doctor")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [line for line in ran.stdout.splitlines() if line.startswith(("fail", "warn"))] == []


def test_a_shell_at_a_terminal_passes_keys_size_and_exit_code(system, box):
    environment = system.environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "openmiosa.cli", "sandbox", "shell", box.id, "--", "/bin/sh"], environment)
    shown, steps = "", {"$ ": "stty size; echo do''ne; exit 6\r"}
    while True:
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:
            break
        for prompt in [one for one in steps if one in shown]:
            os.write(terminal, steps.pop(prompt).encode())
    os.close(terminal)
    assert "done" in shown, shown
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
