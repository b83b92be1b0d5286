"""`openmiosa run` against the real system: a folder goes in, a command runs, calls are shown, nothing is left."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import zipfile

import pytest
from openmiosa import Miosa
from openmiosa.models import SandboxInfo

from .test_system import HOST, system, upstream  # noqa: F401 (fixtures)

VALUE = "sk-real-value-of-a-run-0123456789"
CALL = f'curl -s -o /dev/null -w "%{{http_code}}\\n" -H "Authorization: Bearer $UPSTREAM_KEY" https://{HOST}/v1'
SECRET = ("--secret", f"up_key=@env:UPSTREAM_KEY:{HOST}")
COMMAND = [sys.executable, "-m", "openmiosa.cli", "run"]


@pytest.fixture
def folder(tmp_path):
    """A folder of work: a program, a file that git ignores, and one that holds credentials."""
    (tmp_path / "work" / "deep").mkdir(parents=True)
    (tmp_path / "work" / "deep" / "agent.sh").write_text("#!/bin/sh\necho from inside\n")
    (tmp_path / "work" / "deep" / "agent.sh").chmod(0o755)
    (tmp_path / "work" / ".gitignore").write_text("ignored.txt\n")
    (tmp_path / "work" / "ignored.txt").write_text("x")
    (tmp_path / "work" / ".env").write_text("REAL=1\n")
    subprocess.run(["git", "init", "-q", str(tmp_path / "work")], check=True)
    return tmp_path / "work"


@pytest.fixture
def env(system):  # noqa: F811
    """Variables of a person who has the credential and knows the server."""
    return system.environment | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "UPSTREAM_KEY": VALUE}


@pytest.fixture
def run(folder, env):
    """Runs one line in the folder."""

    def runs(*words, code=0, stdin=None, more=None):
        given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        ran = subprocess.run(
            [*COMMAND, *words], cwd=folder, env=env | (more or {}), capture_output=True, text=True, timeout=120, check=False, **given
        )
        assert ran.returncode == code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        assert VALUE not in ran.stdout + ran.stderr
        return ran

    return runs


@contextlib.contextmanager
def started(folder, env, *words):
    """A run that goes on; its output is read line by line."""
    command = [*COMMAND, "--quiet", *words]
    running = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with running:
        yield running


def names(system):  # noqa: F811
    with Miosa(system.api_key, system.base_url) as api:
        return [one.name for one in api.sandboxes.list()]


def test_the_folder_goes_in_and_the_exit_code_comes_out(run, system):  # noqa: F811
    ran = run("--name", "passing", "--", "deep/agent.sh; ls -A; pwd; cat; echo err >&2; exit 7", code=7, stdin="typed\n")
    assert ran.stdout == "from inside\n.gitignore\ndeep\n/workspace\ntyped\n"
    assert "err\n" in ran.stderr
    assert "look like credentials: .env" in " ".join(ran.stderr.split())
    assert "passing" not in names(system)


def test_a_secret_is_a_placeholder_inside_and_itself_upstream(run, upstream):  # noqa: F811
    ran = run(*SECRET, "--allow", HOST, "--", f"echo $UPSTREAM_KEY; {CALL}; {CALL.replace(HOST, 'other.example.com')}")
    placeholder, *codes = ran.stdout.split()
    assert (placeholder.startswith("miosa-tok-"), codes) == (True, ["200", "403"])
    assert upstream.credentials[-1] == f"Bearer {VALUE}"
    assert f"[audit] allow {HOST} HTTP 200 secrets=up_key\n" in ran.stderr
    assert ["other.example.com", "1", "-", "1", "-"] in [line.split()[:5] for line in ran.stderr.splitlines()]


def test_without_allow_calls_are_recorded_and_it_is_said(run):
    ran = run("--", CALL)
    assert ran.stdout == "200\n"
    assert "every call is recorded and none is blocked" in " ".join(ran.stderr.split())


def test_much_output_arrives_whole(run):
    assert len(run("--", "head -c 3000000 /dev/zero | tr '\\0' x").stdout) == 3_000_000


def test_output_that_no_reader_can_follow_is_not_lost_in_silence(folder, env):
    command = [*COMMAND, "--quiet", "--", "head -c 400000000 /dev/zero"]
    with subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        arrived = len(running.stdout.read())
        said = running.stderr.read().decode()
    assert arrived == 400_000_000 or "are lost" in said


def test_json_holds_the_output_and_the_calls(run):
    said = json.loads(run(*SECRET, "--json", "--allow", HOST, "--", f"{CALL}; echo err >&2; exit 3", code=3).stdout)
    assert (said["exit_code"], said["stdout"], said["stderr"]) == (3, "200\n", "err\n")
    assert [(one["host"], one["calls"], one["secrets"]) for one in said["hosts"]] == [(HOST, 1, ["up_key"])]


def test_a_file_that_holds_the_value_does_not_go_in(run, folder):
    (folder / "config.py").write_text(f"KEY = '{VALUE}'\n")
    assert "config.py holds the value of up_key" in " ".join(run(*SECRET, "--", "true", code=2).stderr.split())
    run(*SECRET, "--exclude", "config.py", "--", "test ! -e config.py")


def test_what_changed_comes_back_only_when_asked_and_replaces_nothing_else(run, folder):
    (folder / "kept.txt").write_text("old")
    change = "echo new > kept.txt; mkdir made; echo made > made/by; echo mine > .env; rm -r deep"
    run("--", change)
    assert (folder / "kept.txt").read_text() == "old"
    ran = run("--sync-back", "--", change)
    assert (folder / "kept.txt").read_text() == "new\n"
    assert (folder / "made" / "by").read_text() == "made\n"
    assert ((folder / ".env").read_text(), (folder / ".env.from-sandbox").read_text()) == ("REAL=1\n", "mine\n")
    assert (folder / "deep" / "agent.sh").exists()
    assert "Brought back" in ran.stderr


def test_a_link_that_leads_out_of_the_folder_is_not_written_through(run, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    run("--sync-back", "--", "rm link; mkdir link; echo x > link/planted")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_program_is_called_python_inside(run):
    assert run("--no-upload", "--", "python", "-c", "print('one', 2)").stdout == "one 2\n"


def test_packages_are_fetched_here_and_found_inside(run, tmp_path):
    wheel(tmp_path / "wheels", "carried", "carried.py", "FROM = 'a wheel'\n")
    local = {
        f"{tool}_{name}": value for tool in ("PIP", "UV") for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(tmp_path / "wheels")))
    }
    ran = run("--pip", "carried==1", "--no-upload", "--", "python3 -c 'import carried; print(carried.FROM)'", more=local)
    assert ran.stdout == "a wheel\n"


def test_time_is_up_with_124(run, system):  # noqa: F811
    ran = run("--name", "slow", "--timeout", "1", "--", "sleep 600", code=124)
    assert "Ended after 1 s (--timeout)." in ran.stderr
    assert "slow" not in names(system)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_takes_everything_down(folder, env, system, number):  # noqa: F811
    with started(folder, env, "--name", "ending", "--", "echo begun; sleep 600") as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(number)
        assert running.wait(60) == 128 + number
    assert "ending" not in names(system)


def test_the_first_interrupt_is_the_commands_and_the_second_ends_all(folder, env, system):  # noqa: F811
    with started(folder, env, "--name", "stubborn", "--", "trap 'echo caught' INT; echo begun; while :; do sleep 0.1; done") as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "caught\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    assert "stubborn" not in names(system)


def test_at_a_terminal_the_command_has_one_and_a_double_interrupt_ends_all(folder, env, system):  # noqa: F811
    loop = "trap 'echo caught' INT; stty size; while :; do sleep 0.1; done"
    shown, code = typed(folder, env, ["--name", "typed", "--", loop], {"24 80": "\x03", "caught": "\x03\x03"})
    assert (code, "caught" in shown) == (130, True)
    assert "typed" not in names(system)


def test_calls_stand_on_lines_of_their_own_at_a_terminal(folder, env):
    shown, code = typed(folder, env, ["--allow", HOST, "--", f"printf word; {CALL} > /dev/null; sleep 1; exit 4"], {})
    assert code == 4
    assert f"word\r\n[audit] allow {HOST} HTTP 200" in shown.replace("\x1b[32m", "").replace("\x1b[0m", "")


def test_kept_means_kept(run, system):  # noqa: F811
    assert "openmiosa sandbox shell staying" in " ".join(run("--keep", "--name", "staying", "--", "true").stderr.split())
    with Miosa(system.api_key, system.base_url) as api:
        info: SandboxInfo = api.sandboxes.get("staying").info
        api.sandboxes.delete("staying")
    assert info.idle_timeout_sec is None


def test_a_secret_that_the_server_has_is_used_and_stays(run, system):  # noqa: F811
    with Miosa(system.api_key, system.base_url) as api:
        api.secrets.set(name="shared", value="sk-shared-0123456789", allowed_hosts=[HOST], scope="tenant")
        ran = run("--secret", "shared=@stored", "--secret-as", "shared=UPSTREAM_KEY", "--", f"echo $UPSTREAM_KEY; {CALL}")
        assert (ran.stdout.startswith("miosa-tok-"), ran.stdout.endswith("\n200\n")) == (True, True)
        assert api.secrets.get("shared").status == "ready"
        api.secrets.delete("shared")


def test_a_run_that_nobody_watches_any_more_ends_by_itself(folder, env, system):  # noqa: F811
    with started(folder, env, "--name", "watched", "--", "echo begun; sleep 600") as running:
        assert running.stdout.readline() == "begun\n"
        with Miosa(system.api_key, system.base_url) as api:
            info: SandboxInfo = api.sandboxes.get("watched").info
        running.terminate()
    assert (info.persistent, info.idle_timeout_sec) == (False, 300)


def test_when_the_server_dies_the_run_ends_with_3_and_nothing_stays(folder, env, system):  # noqa: F811
    with started(folder, env, "--name", "orphan", "--", "echo begun; sleep 600") as running:
        assert running.stdout.readline() == "begun\n"
        system.wait_for_restart("server", system.kill("server"))
        assert running.wait(90) == 3
    assert "orphan" not in names(system)


def test_without_a_server_one_lives_as_long_as_the_run(folder, env, tmp_path):
    bare = {name: value for name, value in env.items() if not name.startswith(("MIOSA_", "OPENMIOSA_S", "OPENMIOSA_C"))}
    command = [*COMMAND, "--no-upload", "--", "echo inside"]
    ran = subprocess.run(
        command,
        cwd=folder,
        env=bare | {"HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "inside\n"), ran.stderr
    assert "one is started for this run" in " ".join(ran.stderr.split())


def typed(folder, env, words, steps):
    """Run at a pseudo-terminal of 24 by 80, typing each answer when what it waits for appears; all that was shown, and the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(COMMAND[0], [*COMMAND, *words], env)
    os.set_inheritable(terminal, False)
    subprocess.run(["stty", "rows", "24", "cols", "80"], stdin=terminal, check=True)
    shown, waiting = "", dict(steps)
    while True:
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            break
        for prompt in [one for one in waiting if one in shown][:1]:
            os.write(terminal, waiting.pop(prompt).encode())
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wheel(folder, name, module, source):
    """A wheel with one module, made by hand."""
    folder.mkdir()
    about = f"{name}-1.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as made:
        made.writestr(module, source)
        made.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        made.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{about}/RECORD", f"{module},,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")


def test_what_a_sandbox_lies_about_is_not_written_where_git_runs_it(run, folder):
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "way").symlink_to(".git")
    lie = 'printf "%s\\0" "8 1.0 .git/hooks/post-checkout" "8 1.0 way/hooks/post-commit"'
    (folder / "lie.sh").write_text(f"#!/bin/sh\n{lie}\n")
    plant = "rm way; mkdir -p .git/hooks way/hooks; echo planted | tee .git/hooks/post-checkout > way/hooks/post-commit"
    ran = run("--sync-back", "--", f"{plant}; install -m 755 lie.sh /usr/local/bin/find; find")
    assert "post-checkout" in ran.stdout
    assert "not written" in ran.stderr
    assert [path.name for path in (folder / ".git" / "hooks").iterdir() if not path.name.endswith(".sample")] == []
