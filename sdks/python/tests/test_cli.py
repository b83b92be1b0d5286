"""The `openmiosa` command, as processes of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from importlib import import_module
from types import SimpleNamespace

import pytest

RUNNING = {"id": "sbx_01jabcdefghjkmnpqrstvwxyz0", "name": "agent", "state": "running", "template_id": "host"}
SECRET = {"id": "sec_1", "name": "openai_key", "status": "ready", "preview": "f00d", "bound_hosts": ["api.openai.com"], "version": 2}
VALUE = "sk-a-real-value"
COMMAND = [sys.executable, "-m", "openmiosa.cli"]


class Cli:
    """Runs command lines with an environment that knows one server and no person's files."""

    def __init__(self, folder, url):
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        sources = os.pathsep.join(path for path in sys.path if path)
        self.contexts = folder / "contexts.json"
        self.env = {**kept, "PYTHONPATH": sources, "HOME": str(folder), "OPENMIOSA_CONTEXTS": str(self.contexts)}
        self.env |= {"MIOSA_API_KEY": "msk_env", "MIOSA_BASE_URL": url}

    def __call__(self, *arguments, stdin=None, code=0, env=None):
        given = {} if stdin is not None else {"stdin": subprocess.DEVNULL}
        given |= {"input": stdin, "capture_output": True, "text": True, "timeout": 30}
        ran = subprocess.run([*COMMAND, *arguments], env=self.env | (env or {}), check=False, **given)
        assert ran.returncode == code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        if "--json" not in arguments:
            assert [line for line in (ran.stdout + ran.stderr).splitlines() if len(line) > 80 and len(line.split()[-1]) < 50] == []
        return ran


@pytest.fixture
def cli(tmp_path, server):
    """The command, pointed at the scripted server."""
    server.answers("GET", "/sandboxes/agent", {"data": RUNNING})
    return Cli(tmp_path, server.url)


@pytest.mark.parametrize("words", [(), ("sandbox",), ("secrets",), ("network",), ("audit",), ("keys",), ("context",)])
def test_help_fits_and_names_the_exit_codes(cli, words):
    assert "Exit codes" in " ".join(cli(*words, "--help").stdout.split())


def test_sandboxes_are_made_listed_and_removed(cli, server):
    server.answers("POST", "/sandboxes", {"data": RUNNING}, 201)
    server.answers("GET", "/sandboxes", {"data": [RUNNING]})
    server.on("DELETE", "/sandboxes/agent", server.reply(204))
    assert "agent is running" in cli("sandbox", "create", "agent", "--env", "A=1").stdout
    assert "agent" in cli("sandbox", "list").stdout
    assert cli("sandbox", "rm", "agent").stdout == "Destroyed: agent.\n"
    assert server.requests("POST", "/sandboxes")[0].body == {"name": "agent", "env": {"A": "1"}}


def test_of_several_that_are_removed_the_ones_before_a_failure_are_named(cli, server):
    server.on("DELETE", "/sandboxes/agent", server.reply(204))
    ran = cli("sandbox", "rm", "agent", "agent", "nobody", "agent", code=1)
    assert ran.stderr.startswith("Done before this one failed: agent, agent.\nError:")
    assert json.loads(cli("sandbox", "rm", "agent", "nobody", "--json", code=1).stderr)["error"]["status"] == 404


def test_json_is_json_with_whole_ids(cli, server):
    server.answers("GET", "/sandboxes", {"data": [RUNNING]})
    assert json.loads(cli("sandbox", "list", "--json").stdout)[0]["id"] == RUNNING["id"]


@pytest.mark.parametrize("exit_code", [0, 7])
def test_exec_streams_and_passes_the_exit_code_on(cli, server, exit_code):
    frames = ('data: {"type":"stdout","line":"out"}\n\n', 'data: {"type":"stderr","line":"err"}\n\n')
    path = f"/sandboxes/{RUNNING['id']}/exec/stream"
    server.streams("POST", path, *frames, f'data: {{"type":"exit","exit_code":{exit_code}}}\n\n')
    ran = cli("sandbox", "exec", "agent", "--", "ls", "-la", code=exit_code)
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")
    assert server.requests("POST", path)[0].body == {"argv": ["ls", "-la"]}


def test_one_word_after_the_dashes_is_a_shells_line(cli, server):
    path = f"/sandboxes/{RUNNING['id']}/exec/stream"
    server.streams("POST", path, 'data: {"type":"exit","exit_code":0}\n\n')
    cli("sandbox", "exec", "agent", "--stdin", "--", "wc -l | cat", stdin="a\nb\n")
    assert server.requests("POST", path)[0].body == {"command": "wc -l | cat", "stdin": "a\nb\n"}


@pytest.mark.parametrize("source", ["stdin", "file", "environment"])
def test_a_value_comes_from_a_safe_place(cli, server, tmp_path, source):
    server.answers("POST", "/egress/secrets", {"data": SECRET}, 201)
    (tmp_path / "value").write_text(f"{VALUE}\n")
    how = {"stdin": ["-"], "file": ["--from-file", str(tmp_path / "value")], "environment": ["--from-env", "REAL"]}[source]
    ran = cli("secrets", "set", "openai_key", *how, "-s", "agent", "--as", "OPENAI_API_KEY", stdin=f"{VALUE}\n", env={"REAL": VALUE})
    sent = server.requests("POST", "/egress/secrets")[0].body
    assert (sent["value"], sent["expose_as_env"], sent["resource_id"]) == (VALUE, "OPENAI_API_KEY", RUNNING["id"])
    assert VALUE not in ran.stdout + ran.stderr
    assert "api.openai.com" in ran.stdout


ATTEMPTS = [(VALUE,), ("--value", VALUE), (f"--value={VALUE}",), ("-", VALUE), ("--", f"-{VALUE}"), ("--new-value", VALUE)]


@pytest.mark.parametrize("words", ATTEMPTS)
@pytest.mark.parametrize("command", ["set", "rotate"])
def test_a_value_as_an_argument_is_refused_and_not_echoed(cli, server, command, words):
    ran = cli("secrets", command, "openai_key", *words, code=2)
    assert "never given as an argument" in " ".join(ran.stderr.split())
    assert VALUE not in ran.stdout + ran.stderr
    assert server.seen == []


@pytest.mark.parametrize("words", [("--expose", "OPENAI_API_KEY", "-"), ("-x", "-"), ("--dry-run",)])
def test_an_option_that_there_is_not_is_not_taken_for_a_value(cli, words):
    assert f"{words[0]} is no option" in cli("secrets", "set", "openai_key", *words, code=2, stdin=VALUE).stderr


def test_without_a_terminal_a_source_must_be_named(cli):
    assert "--from-env" in cli("secrets", "set", "openai_key", code=2).stderr


def test_at_a_terminal_the_value_is_asked_for_and_not_shown(cli, server):
    server.answers("PATCH", "/egress/secrets/openai_key", {"data": SECRET})
    shown = _typed([*COMMAND, "secrets", "rotate", "openai_key"], cli.env, {"(not shown)": f"{VALUE}\n"})
    assert server.requests("PATCH", "/egress/secrets/openai_key")[0].body == {"value": VALUE}
    assert "is rotated (version 2)" in shown
    assert VALUE not in shown


def test_secrets_without_a_sandbox_are_the_tenants(cli, server):
    server.answers("POST", "/egress/secrets", {"data": SECRET}, 201)
    cli("secrets", "set", "openai_key", "-", stdin=VALUE)
    assert server.seen[0].body["scope"] == "tenant"


def test_secrets_are_listed_without_values(cli, server):
    server.answers("GET", "/egress/secrets", {"secrets": [SECRET]})
    assert "f00d" in cli("secrets", "list").stdout
    assert cli("secrets", "list", "--json").stdout.startswith("[")


def test_lockdown_names_what_stays_open(cli, server):
    rule = {"id": "rul_1", "host": "api.openai.com"}
    server.answers("POST", "/egress/lockdown", {"data": {"id": "pol_1", "mode": "enforce", "allow_rules": [rule]}})
    assert "Allowed: api.openai.com" in cli("network", "lockdown", "api.openai.com", "--sandbox", "agent").stdout
    cli("network", "lockdown", "-s", "agent", "--close-all")
    cli("network", "lockdown", "-s", "agent")
    sent = [one.body.get("hosts") for one in server.requests("POST", "/egress/lockdown")]
    assert sent == [["api.openai.com"], [], None]


def test_a_lockdown_without_rules_says_which_command_to_run(cli, server):
    details = {"observed": [{"host": "api.openai.com", "count": 3}, {"host": "api.github.com", "count": 2}]}
    server.answers("POST", "/egress/lockdown", {"error": {"code": "NO_RULES", "message": "no rules", "details": details}}, 409)
    said = " ".join(cli("network", "lockdown", "-s", "agent", code=1).stderr.split())
    assert "Do: openmiosa network lockdown -s agent api.openai.com api.github.com" in said


def test_the_whole_tenant_is_changed_only_when_it_is_named(cli, server):
    server.answers("POST", "/egress/allowlist", {"data": {"id": "rul_1", "host": "a.example"}}, 201)
    assert "--tenant" in cli("network", "allow", "a.example", code=2).stderr
    assert cli("network", "allow", "a.example", "--tenant").stdout == "Allowed: a.example.\n"


def test_network_tables_fit(cli, server):
    long = f"{'x' * 60}.example.com"
    server.answers("GET", "/egress/pending", {"pending": [{"host": long, "port": 443, "count": 2, "reason": "host-denied"}]})
    server.answers("GET", "/egress/audit/suggestions", {"suggestions": [{"host": long, "count": 2, "methods": ["GET", "POST"]}]})
    assert "host-denied" in cli("network", "pending", "agent").stdout
    assert "GET, POST" in cli("network", "suggestions", "agent").stdout


def test_the_tail_prints_the_documented_line_at_once_and_ends_on_a_signal(cli, server, event_frame):
    server.answers("GET", "/egress/audit", {"events": [{"id": "evt_1", "action": "allow"}]})
    swapped = {"request_transforms": {"secrets": {"swapped": ["openai_key"]}}}
    server.streams("GET", f"/sandboxes/{RUNNING['id']}/audit/stream", event_frame(2, **swapped), threading.Event())
    running = subprocess.Popen([*COMMAND, "audit", "tail", "agent"], stdout=subprocess.PIPE, text=True, env=cli.env)
    with running:
        assert running.stdout.readline() == "[audit] allow api.openai.com HTTP 200 secrets=openai_key\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 130


def test_the_list_of_calls_escapes_what_a_sandbox_chose(cli, server):
    event = {"id": "evt_1", "action": "reject", "host": "x\x1b[2Jy", "status_code": 403, "method": "GET", "path": "/" + "p" * 200}
    server.answers("GET", "/egress/audit", {"events": [event]})
    assert "\x1b" not in cli("audit", "list", "agent").stdout


def test_a_new_key_is_printed_alone(cli, server):
    server.answers("POST", "/api-keys", {"data": {"id": "key_1", "name": "ci", "token": "msk_live_new"}}, 201)
    assert cli("keys", "create", "ci", "--scope", "audit:read", "--scope", "keys:read").stdout == "msk_live_new\n"
    assert server.seen[0].body == {"name": "ci", "scopes": ["audit:read", "keys:read"]}


def test_connect_shows_where_to_consent_and_waits(cli, server):
    server.answers(
        "POST", "/egress/oauth/start", {"data": {"state": "st_1", "user_code": "AB-12", "verification_uri": "https://p.example/d"}}
    )
    server.answers("GET", "/egress/oauth/status", {"data": {"status": "completed", "secret_id": "sec_1"}})
    server.answers("GET", "/egress/secrets/sec_1", {"data": {**SECRET, "name": "github_token"}})
    ran = cli("connect", "github", "-s", "agent", "--as", "GITHUB_TOKEN", "--device")
    assert "AB-12" in ran.stderr
    assert "github_token" in ran.stdout


MISUSED = {
    ("sandbox", "lst"): "sandbox --help",
    ("nonsense",): "--help",
    ("sandbox", "exec", "agent"): "sandbox exec --help",
    ("network", "allow"): "network allow --help",
    ("run", "--secret", "k=plain", "--", "ls"): "run --help",
}


@pytest.mark.parametrize(("words", "found"), MISUSED.items())
def test_misuse_is_2_and_points_to_help_that_there_is(cli, words, found):
    assert f"Help:    openmiosa {found}\n" in cli(*words, code=2).stderr


def test_a_refusal_is_1_and_says_what_whose_and_which_request(cli, server):
    error = {"code": "INSUFFICIENT_SCOPE", "message": "this key may not", "details": {"required": "keys:read"}}
    server.answers("GET", "/api-keys", {"error": error, "request_id": "req_7"}, 403)
    said = cli("keys", "list", code=1).stderr
    for part in ("Error:", "this key may not", "Fault:", "Do:", "keys:read", "req_7"):
        assert part in said
    assert json.loads(cli("keys", "list", "--json", code=1).stderr)["error"]["request_id"] == "req_7"


def test_what_only_a_sandbox_may_have_is_looked_for_there(cli, server):
    server.answers("DELETE", "/egress/secrets/openai_key", {"error": {"code": "NOT_FOUND", "message": "no such secret"}}, 404)
    for more, advised in ([], True), (["-s", "agent"], False):
        said = " ".join(cli("secrets", "rm", "openai_key", *more, code=1).stderr.split())
        assert ("is found with --sandbox NAME" in said) is advised


def test_a_server_that_is_not_there_is_3(cli):
    assert "openmiosa up" in cli("sandbox", "list", code=3, env={"MIOSA_BASE_URL": "http://127.0.0.1:9"}).stderr


def test_a_reader_that_leaves_is_no_error(cli, server):
    server.answers("GET", "/sandboxes", {"data": [RUNNING] * 5000})
    listing = subprocess.Popen([*COMMAND, "sandbox", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=cli.env)
    with listing:
        listing.stdout.readline()
        listing.stdout.close()
        assert listing.stderr.read() == ""
        assert listing.wait(20) == 0


def _typed(command, env, answers, code=0):
    """Run at a pseudo-terminal, typing each answer when its question appears; gives all that was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], command, env)
    shown, waiting = "", dict(answers)
    while True:
        try:
            part = os.read(terminal, 4096).decode()
        except OSError:
            break
        shown += part
        for question in [one for one in waiting if one in shown]:
            os.write(terminal, waiting.pop(question).encode())
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, shown
    return shown


def test_what_a_provider_says_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    asked = SimpleNamespace(user_code="A\x1b[2J", verification_uri="https://a.test/\x1b]0;owned\x07", authorize_url=None)
    import_module("openmiosa.cli.connect").invite(asked, browser=False)
    assert "\x1b" not in capsys.readouterr().err
