"""Which server the command talks to, and how it finds out what is wrong."""

import json
import os
import subprocess
import sys

import pytest

from .test_cli import Cli

SCOPES = [f"{noun}:{right}" for noun in ("sandboxes", "secrets", "network", "keys") for right in ("read", "write")] + ["audit:read"]
WHO = {"data": {"tenant_id": "ten_1", "key_id": "key_1", "name": "admin", "scopes": SCOPES}}


@pytest.fixture
def cli(tmp_path, server):
    """The command with a context file and no variables."""
    made = Cli(tmp_path, server.url)
    del made.env["MIOSA_API_KEY"], made.env["MIOSA_BASE_URL"]
    local = {"base_url": server.url, "api_key": "msk_live_of_local_0123456789"}
    contexts = {"local": local, "far": {"base_url": "http://127.0.0.1:9", "api_key": "msk_far"}}
    made.contexts.write_text(json.dumps({"v": 1, "current": "local", "contexts": contexts}))
    made.contexts.chmod(0o600)
    command_package(tmp_path, made, "host", "print('user namespaces: yes\\n  tproxy: yes')")
    server.answers("GET", "/sandboxes", {"data": []})
    server.answers("GET", "/whoami", WHO)
    return made


def used(server):
    return server.requests("GET", "/sandboxes")[-1].headers["authorization"]


def test_the_current_context_is_used(cli, server):
    cli("sandbox", "list")
    assert used(server) == "Bearer msk_live_of_local_0123456789"


def test_variables_win_over_the_context(cli, server):
    cli("sandbox", "list", env={"MIOSA_API_KEY": "msk_env"})
    assert used(server) == "Bearer msk_env"


def test_a_named_context_wins_over_variables(cli, server):
    cli("sandbox", "list", "--context", "local", env={"MIOSA_API_KEY": "msk_env", "MIOSA_BASE_URL": "http://127.0.0.1:9"})
    assert used(server) == "Bearer msk_live_of_local_0123456789"


def test_a_contexts_key_is_never_sent_to_another_server(cli, server):
    cli("context", "use", "far")
    cli("sandbox", "list", env={"MIOSA_BASE_URL": f"{server.url}/"})
    assert used(server) == "Bearer msk_live_of_local_0123456789"
    assert "set MIOSA_API_KEY" in " ".join(cli("sandbox", "list", code=2, env={"MIOSA_BASE_URL": "http://127.0.0.1:10"}).stderr.split())


def test_contexts_are_listed_chosen_and_shown_without_keys(cli):
    assert "msk_live_of_…" in cli("context", "list").stdout
    cli("context", "use", "far")
    shown = cli("context", "show").stdout
    assert "127.0.0.1:9" in shown
    assert "msk_far" not in shown
    assert cli.contexts.stat().st_mode & 0o777 == 0o600


def test_an_unknown_context_is_said(cli):
    assert "context list" in cli("sandbox", "list", "--context", "nowhere", code=2).stderr


@pytest.mark.parametrize("text", ["{", "[]", '{"v": 2, "contexts": {}}', '{"v": 1, "current": "a", "contexts": {"a": {}}}'])
def test_a_broken_context_file_is_said(cli, text):
    cli.contexts.write_text(text)
    assert "contexts.json" in cli("sandbox", "list", code=2).stderr.replace("\n         ", "")


def test_a_context_file_that_others_can_read_is_warned_of(cli):
    cli.contexts.chmod(0o644)
    assert "chmod 600" in cli("sandbox", "list", "--json").stderr


def test_no_server_at_all_says_how_to_get_one(cli):
    cli.contexts.unlink()
    assert "openmiosa up" in cli("sandbox", "list", code=2).stderr


def test_doctor_is_content(cli, server):
    server.answers("GET", "/readyz", {"status": "ready", "checks": {"database": "ok"}})
    said = [line.split()[:2] for line in cli("doctor").stdout.splitlines() if not line.startswith(" ")]
    assert said == [["ok", name] for name in ("client", "settings", "server", "key", "scopes", "host")]


def test_doctor_says_what_is_not_ready(cli, server):
    server.answers("GET", "/readyz", {"status": "not ready", "checks": {"database": "ok", "egressd": "down"}}, 503)
    assert "egressd: down" in cli("doctor", code=3).stdout


def test_doctor_says_that_the_key_is_wrong(cli, server):
    server.answers("GET", "/readyz", {"status": "ready"})
    server.answers("GET", "/whoami", {"error": {"code": "UNAUTHENTICATED", "message": "this key is revoked"}}, 401)
    assert "this key is revoked" in cli("doctor", code=1).stdout


def test_doctor_says_which_scopes_are_missing(cli, server):
    server.answers("GET", "/readyz", {"status": "ready"})
    server.answers("GET", "/whoami", {"data": {**WHO["data"], "scopes": SCOPES[1:]}})
    assert "sandboxes:read" in cli("doctor").stdout


def test_doctor_says_that_nothing_answers(cli):
    assert json.loads(cli("doctor", "--json", "--context", "far", code=3).stdout)[2]["state"] == "fail"


def test_what_the_host_lacks_matters_when_no_server_runs(cli, tmp_path):
    command_package(tmp_path, cli, "host", "print('user namespaces: no')\n    return 1")
    findings = json.loads(cli("doctor", "--json", "--context", "far", code=3).stdout)
    assert findings[-1] == {"check": "host", "state": "fail", "text": "user namespaces: no"}


def test_commands_of_an_installed_package_are_found(cli, tmp_path):
    command_package(tmp_path, cli, "extra", "print('extra', argv)\n    return 5")
    assert cli("extra", "--flag", "x", code=5).stdout == "extra ['--flag', 'x']\n"


def test_without_the_server_its_commands_say_what_to_install(tmp_path, server):
    bare = Cli(tmp_path, server.url)
    here = [path for path in bare.env["PYTHONPATH"].split(os.pathsep) if "sdks/python/src" in path]
    # -S leaves out site-packages, where the server may be installed.
    program = "import sys; from openmiosa.cli import main; sys.exit(main(['up']))"
    ran = subprocess.run([sys.executable, "-S", "-c", program], env={"PYTHONPATH": here[0]}, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "pip install openmiosa-server" in ran.stderr


def command_package(folder, cli, name, body):
    """Installs a package that offers one command of the host, before all others on the path."""
    site = folder / f"site_{name}_{len(body)}"
    about = site / f"{name}_package-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-package\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[openmiosa.commands]\n{name} = {name}_package:command\n")
    (site / f"{name}_package.py").write_text(f"def command(argv):\n    {body}\n")
    cli.env["PYTHONPATH"] = f"{site}{os.pathsep}{cli.env['PYTHONPATH']}"
