"""The groups of commands, against scripted answers: what is sent, what is shown."""

import json
import subprocess
import threading

import pytest

from .test_cli import COMMAND, RUNNING, SECRET, Cli, _typed

BOX = f"/sandboxes/{RUNNING['id']}"
KEY = {"id": "key_1", "name": "ci", "prefix": "msk_live_abc", "scopes": ["audit:read"]}
SEEN = [{"host": "api.openai.com", "count": 3, "methods": ["POST"]}, {"host": "evil\x1b[2J.example", "count": 1}]
RULE = {"id": "rul_1", "host": "old.example", "effect": "allow"}
POLICY = {"id": "pol_1", "mode": "audit_only", "resource_id": RUNNING["id"], "allow_rules": [RULE], "deny_rules": []}
LOCKED = {**POLICY, "mode": "enforce", "allow_rules": [RULE, {"id": "rul_2", "host": "api.openai.com"}]}


@pytest.fixture
def cli(tmp_path, server):
    """The command, pointed at a server that knows one sandbox."""
    server.answers("GET", "/sandboxes/agent", {"data": RUNNING})
    return Cli(tmp_path, server.url)


@pytest.fixture
def observed(server):
    """A sandbox that has called two hosts and has a rule for a third."""
    server.answers("GET", "/egress/policies", {"policies": [POLICY]})
    server.answers("GET", "/egress/policies/pol_1", {"policy": POLICY})
    server.answers("GET", "/egress/audit/suggestions", {"suggestions": SEEN})
    server.answers("POST", "/egress/lockdown", {"policy": LOCKED})


def sent(server, method, path):
    return server.requests(method, path)[-1].body


def test_a_sandbox_is_shown_stopped_extended_copied_and_changed(cli, server):
    for verb in ("stop", "extend", "fork"):
        server.answers("POST", f"{BOX}/{verb}", {"data": {**RUNNING, "name": "copy"}})
    server.answers("PATCH", BOX, {"data": {**RUNNING, "name": "new"}})
    assert RUNNING["id"] in cli("sandbox", "show", "agent").stdout
    assert "agent is running" in cli("sandbox", "stop", "agent").stdout
    cli("sandbox", "extend", "agent", "600")
    assert "with the files of agent" in cli("sandbox", "fork", "agent", "copy", "--snapshot", "snp_1").stdout
    assert cli("sandbox", "update", "agent", "--name", "new", "--tag", "a", "--metadata", "k=v").stdout == "new is changed.\n"
    assert sent(server, "POST", f"{BOX}/extend") == {"timeout_sec": 600}
    assert sent(server, "POST", f"{BOX}/fork") == {"name": "copy", "snapshot_id": "snp_1"}
    assert sent(server, "PATCH", BOX) == {"name": "new", "tags": ["a"], "metadata": {"k": "v"}}


def test_processes_are_started_listed_and_ended(cli, server):
    process = {"pid": 7, "name": "web", "status": "running", "command": "serve"}
    server.answers("POST", f"{BOX}/processes", process, 201)
    server.answers("GET", f"{BOX}/processes", {"data": [process]})
    server.on("DELETE", f"{BOX}/processes/7", server.reply(204))
    assert "Started as 7" in cli("sandbox", "start", "agent", "--name", "web", "--", "serve", "-p", "80").stdout
    assert "running" in cli("sandbox", "ps", "agent").stdout
    assert cli("sandbox", "kill", "agent", "7").stdout == "Ended: 7.\n"
    assert sent(server, "POST", f"{BOX}/processes") == {"argv": ["serve", "-p", "80"], "name": "web"}


def test_logs_are_shown_and_followed(cli, server):
    server.answers("GET", f"{BOX}/logs", {"data": {"logs": "one\ntwo\n"}})
    server.streams("GET", f"{BOX}/logs/stream", 'data: {"line":"three"}\n\n')
    assert cli("sandbox", "logs", "agent", "-n", "2").stdout == "one\ntwo\n"
    assert cli("sandbox", "logs", "agent", "-f").stdout == "three\n"
    assert server.requests("GET", f"{BOX}/logs")[0].query == {"lines": "2"}


def test_files_are_listed_drawn_and_removed(cli, server):
    server.answers("GET", f"{BOX}/files", {"data": [{"path": "/workspace/a", "name": "a", "size": 3}]})
    tree = {"path": "/workspace", "name": "workspace", "type": "dir", "children": [{"path": "/workspace/a\x1b", "name": "a\x1b"}]}
    server.answers("GET", f"{BOX}/files/tree", {"data": tree})
    server.on("DELETE", f"{BOX}/files", server.reply(204))
    assert cli("sandbox", "files", "list", "agent").stdout.splitlines()[1].split()[-1] == "a"
    assert cli("sandbox", "files", "tree", "agent").stdout == "workspace/\n  a\\x1b\n"
    cli("sandbox", "files", "rm", "agent", "/workspace/a", "-r")
    assert server.requests("DELETE", f"{BOX}/files")[0].query == {"path": "/workspace/a", "recursive": "true"}


def test_variables_snapshots_and_previews_come_and_go(cli, server):
    server.answers("GET", f"{BOX}/env", {"data": [{"key": "LOG", "value": "debug"}]})
    server.answers("PUT", f"{BOX}/env", {"data": [{"key": "LOG", "value": "debug"}]})
    server.answers("GET", f"{BOX}/snapshots", {"data": [{"id": "snp_1", "size_bytes": 2048, "state": "ready"}]})
    server.answers("POST", f"{BOX}/previews", {"data": {"id": "prv_1", "url": "http://127.0.0.1:9999", "port": 80}}, 201)
    assert cli("sandbox", "env", "set", "agent", "LOG=debug").stdout == "Set: LOG.\n"
    assert "debug" in cli("sandbox", "env", "list", "agent").stdout
    assert "2.0 KiB" in cli("sandbox", "snapshots", "list", "agent").stdout
    assert "http://127.0.0.1:9999" in cli("sandbox", "previews", "open", "agent", "80").stdout


def test_secrets_are_shown_bound_and_taken_back(cli, server):
    binding = {"id": "bnd_1", "secret_name": "openai_key", "expose_as_env": "OPENAI_API_KEY"}
    server.answers("GET", "/egress/secrets/openai_key", {"secret": SECRET})
    server.answers("POST", "/egress/bindings", {"binding": binding}, 201)
    server.answers("GET", "/egress/bindings", {"bindings": [binding]})
    server.on("DELETE", "/egress/bindings/bnd_1", server.reply(204))
    assert "f00d" in cli("secrets", "show", "openai_key").stdout
    assert "$OPENAI_API_KEY is a placeholder" in cli("secrets", "bind", "openai_key", "OPENAI_API_KEY", "-s", "agent").stdout
    assert "the secret stays" in cli("secrets", "unbind", "OPENAI_API_KEY", "-s", "agent").stdout
    assert sent(server, "POST", "/egress/bindings")["resource_id"] == RUNNING["id"]


def test_a_machines_client_secret_comes_from_a_safe_place(cli, server):
    server.answers("POST", "/egress/oauth/machine", {"secret": SECRET}, 201)
    words = ("secrets", "add-machine", "crm", "https://p.example/token", "client-1")
    assert "never given as an argument" in " ".join(cli(*words, "typed", code=2).stderr.split())
    cli(*words, "-", "--as", "CRM_TOKEN", "--host", "p.example", stdin="s3cret\n")
    body = sent(server, "POST", "/egress/oauth/machine")
    assert (body["client_secret"], body["expose_as_env"], body["allowed_hosts"]) == ("s3cret", "CRM_TOKEN", ["p.example"])


def test_keys_are_shown_changed_and_rotated(cli, server):
    server.answers("GET", "/api-keys/key_1", {"data": KEY})
    server.answers("PATCH", "/api-keys/key_1", {"data": {**KEY, "name": "cd"}})
    server.answers("POST", "/api-keys/key_1/rotate", {"data": {**KEY, "token": "msk_live_next"}})
    assert "msk_live_abc" in cli("keys", "show", "key_1").stdout
    assert cli("keys", "update", "key_1", "--name", "cd").stdout == "cd is changed.\n"
    assert cli("keys", "rotate", "key_1").stdout == "msk_live_next\n"


def test_the_admin_log_is_listed_oldest_first(cli, server):
    entries = [{"id": f"adm_{number}", "action": f"act:{number}", "outcome": "allowed"} for number in (2, 1)]
    server.answers("GET", "/audit-log", {"data": entries})
    said = cli("admin-log", "--since", "24h").stdout
    assert said.index("act:1") < said.index("act:2")
    assert server.requests("GET", "/audit-log")[0].query["since"].startswith("20")


def test_contexts_are_added_renamed_and_forgotten_without_a_key_on_the_line(cli):
    assert "never given as an argument" in " ".join(cli("context", "add", "far", "https://far.example", "msk_x", code=2).stderr.split())
    cli("context", "add", "far", "https://far.example/", "-", stdin="msk_far_key\n")
    cli("context", "rename", "far", "away")
    held = json.loads(cli.contexts.read_text())
    assert (held["current"], held["contexts"]) == ("away", {"away": {"base_url": "https://far.example", "api_key": "msk_far_key"}})
    assert cli.contexts.stat().st_mode & 0o777 == 0o600
    cli("context", "rm", "away")
    assert json.loads(cli.contexts.read_text())["contexts"] == {}


def test_a_lockdown_at_a_terminal_shows_what_was_seen_and_asks(cli, server, observed):
    words = [*COMMAND, "network", "lockdown", "-s", "agent"]
    shown = _typed(words, cli.env, {"leave out] ": "3\n", "  2  api.openai.com\r\nAllow": "y\n"})
    assert "\x1b[2J" not in shown
    assert "+ allow api.openai.com" in shown
    assert sent(server, "POST", "/egress/lockdown")["hosts"] == ["old.example", "api.openai.com"]


def test_a_no_changes_nothing(cli, server, observed):
    shown = _typed([*COMMAND, "network", "lockdown", "-s", "agent"], cli.env, {"leave out] ": "\n"}, code=1)
    assert "Nothing was changed" in shown
    assert server.requests("POST", "/egress/lockdown") == []


def test_yes_takes_what_was_seen_and_explicit_hosts_are_never_asked_about(cli, server, observed):
    cli("network", "lockdown", "-s", "agent", "--yes")
    cli("network", "lockdown", "-s", "agent", "a.example")
    cli("network", "lockdown", "-s", "agent")
    hosts = [one.body.get("hosts") for one in server.requests("POST", "/egress/lockdown")]
    assert hosts == [["old.example", "api.openai.com", "evil\x1b[2J.example"], ["a.example"], None]


def test_a_dry_run_shows_the_difference_and_changes_nothing(cli, server, observed):
    said = cli("network", "lockdown", "a.example", "-s", "agent", "--dry-run").stderr
    assert [line.strip() for line in said.splitlines()[1:]] == [
        "- mode audit_only",
        "+ mode enforce",
        "- allow old.example",
        "+ allow a.example",
    ]
    assert server.requests("POST", "/egress/lockdown") == []


FILTERS = [("--host", "*.openai.com"), ("--action", "allow"), ("--secret", "openai_key")]


@pytest.mark.parametrize("filter", FILTERS)
def test_the_tail_shows_only_what_is_asked_for(cli, server, event_frame, filter):
    swapped = {"request_transforms": {"secrets": {"swapped": ["openai_key"]}}}
    server.answers("GET", "/egress/audit", {"events": []})
    frames = (event_frame(1, host="other.example", action="reject"), event_frame(2, **swapped))
    server.streams("GET", "/events/stream", *frames, threading.Event())
    with subprocess.Popen([*COMMAND, "audit", "tail", *filter], stdout=subprocess.PIPE, text=True, env=cli.env) as running:
        assert running.stdout.readline().startswith("[audit] allow api.openai.com")
        running.terminate()


def test_the_tail_begins_where_it_is_told_without_repeats(cli, server, event_frame):
    old = {"id": "evt_1", "number": 1, "action": "allow", "host": "old.example", "status_code": 200}
    server.answers("GET", "/egress/audit", {"events": [old]})
    server.streams("GET", "/events/stream", event_frame(1), event_frame(2), threading.Event())
    with subprocess.Popen([*COMMAND, "audit", "tail", "--since", "1h"], stdout=subprocess.PIPE, text=True, env=cli.env) as running:
        hosts = [running.stdout.readline().split()[2] for _ in range(2)]
        running.terminate()
    assert hosts == ["old.example", "api.openai.com"]


def test_lines_are_coloured_on_a_terminal_unless_that_is_unwelcome(cli, server, event_frame):
    server.answers("GET", "/egress/audit", {"events": []})
    server.streams("GET", "/events/stream", event_frame(1), threading.Event())
    tail = [*COMMAND, "audit", "tail"]
    assert "\x1b[32m[audit] allow" in _typed(tail, cli.env | {"TERM": "xterm"}, {"HTTP 200": "\x03"}, code=130)
    assert "\x1b[" not in _typed(tail, cli.env | {"TERM": "xterm", "NO_COLOR": "1"}, {"HTTP 200": "\x03"}, code=130)


def test_an_export_goes_to_a_file_or_to_standard_output(cli, server, tmp_path):
    server.on("GET", "/egress/audit/export", server.reply(200, b"id,host\n"))
    assert cli("audit", "export").stdout == "id,host\n"
    cli("audit", "export", "--to", str(tmp_path / "all.jsonl"), "--host", "a.example")
    assert (tmp_path / "all.jsonl").read_bytes() == b"id,host\n"
    assert server.requests("GET", "/egress/audit/export")[-1].query == {"format": "jsonl", "host": "a.example"}


def test_run_without_any_server_says_what_to_do(tmp_path, server):
    bare = Cli(tmp_path, server.url)
    paths = [path for path in bare.env["PYTHONPATH"].split(":") if "server/src" not in path]
    script = (
        "import sys; from openmiosa.cli import host; host.installed = lambda name: False; from openmiosa.cli import main; sys.exit(main())"
    )
    env = {name: value for name, value in bare.env.items() if not name.startswith("MIOSA_")} | {"PYTHONPATH": ":".join(paths)}
    ran = subprocess.run(
        [COMMAND[0], "-c", script, "run", "--no-upload", "--", "true"], env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "pip install openmiosa-server" in " ".join(ran.stderr.split())


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("k=sk-a-value", "never given as an argument"),
        ("k", "--secret takes"),
        ("k=@env:NOWHERE_SET", "not set here"),
        ("k=@x:y", "use NAME="),
    ],
)
def test_a_secret_of_a_run_is_never_on_the_line(cli, spec, said):
    ran = cli("run", "--no-upload", "--secret", spec, "--", "true", code=2)
    assert said in " ".join(ran.stderr.split())
    assert "sk-a-value" not in ran.stdout + ran.stderr
