"""What the shell offers, and the page of help that no library is loaded for."""

import os
import subprocess
import sys

import pytest
from openmiosa.cli import quick, tree
from openmiosa.cli.app import app

from .test_cli import RUNNING, Cli

# A shell that has loaded the script says what it would offer for a line.
ASK = """
eval "$({python} -m openmiosa.cli completion bash)"
COMP_WORDS=({words}) COMP_CWORD={last} COMP_LINE="{words}" COMP_POINT=${{#COMP_LINE}}
_openmiosa
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def cli(tmp_path, server):
    """A command on the PATH, as the script calls it back by its name."""
    made = Cli(tmp_path, server.url)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "openmiosa").write_text(f'#!/bin/sh\nexec {sys.executable} -m openmiosa.cli "$@"\n')
    (tmp_path / "bin" / "openmiosa").chmod(0o755)
    made.env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{made.env['PATH']}"
    server.answers("GET", "/sandboxes", {"data": [RUNNING, {**RUNNING, "name": "another"}]})
    server.answers("GET", "/egress/secrets", {"secrets": [{"name": "openai_key", "type": "api_key"}]})
    return made


def offered(cli, line):
    words = line.split(" ")
    quoted = " ".join(word or "''" for word in words)
    script = ASK.format(python=sys.executable, words=quoted, last=len(words) - 1)
    ran = subprocess.run(["bash", "--norc", "-c", script], env=cli.env, capture_output=True, text=True, timeout=60, check=True)
    return set(ran.stdout.split())


def test_bash_completes_commands_and_options(cli):
    assert {"sandbox", "secrets", "run"} <= offered(cli, "openmiosa s") | offered(cli, "openmiosa r")
    assert "--allow" in offered(cli, "openmiosa run --al")


def test_bash_completes_names_that_the_server_knows(cli):
    assert offered(cli, "openmiosa sandbox rm a") >= {"agent", "another"}
    assert "openai_key" in offered(cli, "openmiosa secrets rotate o")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_with_every_command(cli, shell):
    ran = subprocess.run(["openmiosa", "completion", shell], env=cli.env, capture_output=True, text=True, check=True)
    assert [name for name in tree.COMMANDS if name not in ran.stdout] == []


def test_without_a_server_nothing_is_offered_and_nothing_is_said(cli):
    ran = cli("__complete", "sandbox", "rm", "", env={"MIOSA_BASE_URL": "http://127.0.0.1:9"})
    assert (ran.stdout.replace("\x1fbegin", "").strip(), ran.stderr) == ("", "")


def test_contexts_are_completed_from_the_file(cli):
    cli("context", "add", "far", "https://far.example", "-", stdin="msk_far\n")
    assert "far" in cli("__complete", "context", "use", "").stdout


def test_the_first_page_names_every_command_and_loads_no_library():
    program = "import sys; from openmiosa.cli import main; main([]); sys.exit(bool({'cyclopts', 'rich', 'httpx2'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [name for name in tree.COMMANDS if f"  {name} " not in ran.stdout] == []
    assert max(map(len, ran.stdout.splitlines())) <= quick.WIDTH


def test_every_command_of_the_list_is_there_with_a_page_of_its_own():
    assert [name for name in tree.COMMANDS if app[name] is None] == []
