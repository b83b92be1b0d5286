"""The parts of a run that need no system: what is given, what goes in, how a terminal is shared."""

import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper
from types import SimpleNamespace

import pytest
from openmiosa.cli import gather, given, screen
from openmiosa.cli.errand import Errand
from openmiosa.cli.options import UsageError


@pytest.fixture(autouse=True)
def real(monkeypatch):
    """The credential of a person who runs something."""
    monkeypatch.setenv("REAL", "sk-real")


@pytest.mark.parametrize(
    ("spec", "variable", "hosts"),
    [
        ("k=@env:REAL", "REAL", ()),
        ("k=@env:REAL:a.example,*.b.example", "REAL", ("a.example", "*.b.example")),
        ("my-key=@file:{file}", "MY_KEY", ()),
        ("my-key=@file:{file}:a.example", "MY_KEY", ("a.example",)),
    ],
)
def test_a_secret_says_where_it_is_and_where_it_may_go(tmp_path, spec, variable, hosts):
    (tmp_path / "key:1").write_text("sk-real\n")
    (one,) = given.secrets([spec.format(file=tmp_path / "key:1")], [], [])
    assert (one.variable, one.hosts, one.value) == (variable, hosts, "sk-real")
    assert "sk-real" not in repr(one)


def test_hosts_and_variables_may_be_said_apart():
    (one,) = given.secrets(["k=@env:REAL:a.example"], ["k=b.example"], ["k=OTHER"])
    assert (one.variable, one.hosts) == ("OTHER", ("a.example", "b.example"))
    with pytest.raises(UsageError, match="no --secret has that name"):
        given.secrets(["k=@env:REAL"], ["other=b.example"], [])


@pytest.mark.parametrize("name", [".env", ".env.local", "deep/id_rsa", "cert.pem", ".netrc"])
def test_what_looks_like_credentials_stays_here_unless_it_is_named(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    (tmp_path / ".env.example").write_text("x")
    found = gather.gather(tmp_path)
    assert (found.names, found.withheld) == ([".env.example"], [name])
    assert name in gather.gather(tmp_path, include=[name]).names


def test_without_git_histories_and_caches_stay_here(tmp_path):
    for folder in (".git", "node_modules", "src/__pycache__", "src"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "file").write_text("x")
    (tmp_path / ".git").rename(tmp_path / ".hg")
    assert gather.gather(tmp_path, exclude=["nothing"]).names == ["src/file"]
    assert gather.gather(tmp_path, exclude=["src"]).names == []


def test_more_than_anybody_means_is_refused_with_what_is_large(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"x" * 5000)
    found = gather.gather(tmp_path)
    with pytest.raises(UsageError, match=r"data\.bin \(4\.9 KiB\).*--max-size 5K"):
        gather.check_size(found, 1000)
    gather.check_size(found, gather.size_of("5K"))


@pytest.mark.parametrize("folder", ["/", "~"])
def test_a_folder_that_holds_everything_is_refused(folder):
    with pytest.raises(UsageError, match="far more than an agent should see"):
        gather.check_folder(gather.Path(folder).expanduser())


class Terminal(BytesIO):
    """One terminal behind both streams."""

    def __enter__(self):
        self.before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = (TextIOWrapper(self, write_through=True, newline="") for _ in range(2))
        return self

    def __exit__(self, *_):
        for stream in (sys.stdout, sys.stderr):
            stream.detach()
        sys.stdout, sys.stderr = self.before

    def isatty(self):
        return True

    def shown(self):
        return self.getvalue().decode()


def test_our_lines_never_stand_inside_the_commands():
    with Terminal() as terminal:
        shared = screen.Screen(raw=True)
        shared.command("stdout", b"half a line")
        shared.line("[audit] one")
        shared.line("[audit] two")
    assert terminal.shown() == "half a line\r\n[audit] one\r\n[audit] two\r\n"


def test_our_lines_wait_until_a_full_screen_program_has_gone():
    with Terminal() as terminal:
        shared = screen.Screen(raw=True)
        shared.command("stdout", b"\x1b[?1049h")
        shared.line("[audit] one")
        assert "[audit]" not in terminal.shown()
        shared.command("stdout", b"\x1b[?1049l")
    assert terminal.shown().endswith("[audit] one\r\n")


def test_an_account_that_is_connected_is_used_again_under_its_usual_variable(server, client, sandbox):
    server.answers("GET", "/egress/oauth/providers", {"providers": [{"name": "github", "expose_as_env": "GITHUB_TOKEN"}]})
    held = {"id": "sec_1", "name": "github_token", "status": "ready"}
    server.answers("GET", "/egress/secrets/github_token", {"secret": held})
    server.answers("POST", "/egress/bindings", {"binding": {"id": "bnd_1"}}, 201)
    errand = Errand(*[None] * 7, SimpleNamespace(quiet=True), None)
    errand._connect(client, sandbox, "github")
    sent = server.requests("POST", "/egress/bindings")[0].body
    assert (sent["secret_id"], sent["expose_as_env"], sent["resource_id"]) == ("sec_1", "GITHUB_TOKEN", sandbox.id)
    with pytest.raises(UsageError, match="knows no provider 'gitlub'"):
        errand._connect(client, sandbox, "gitlub")


def test_colours_are_welcome_on_a_terminal_that_has_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = StringIO()
    assert not screen.coloured(terminal)
    terminal.isatty = lambda: True
    assert screen.coloured(terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert not screen.coloured(terminal)


def test_a_folder_of_somebody_else_runs_nothing_here_when_it_is_listed(tmp_path):
    folder, ran = tmp_path / "theirs", tmp_path / "ran"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (tmp_path / "program").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (tmp_path / "program").chmod(0o755)
    subprocess.run(["git", "-C", str(folder), "config", "core.fsmonitor", str(tmp_path / "program")], check=True)
    (folder / "file").write_text("x")
    assert gather.gather(folder).names == ["file"]
    assert not ran.exists()


@pytest.mark.parametrize("name", ["kek", ".ssh/config", "a/.aws/credentials", ".envrc", "infra/prod.tfstate", ".env.example/id_ed25519"])
def test_keys_of_other_tools_look_like_credentials_too(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("x")
    assert gather.gather(tmp_path).withheld == [name]
