"""`openmiosa.testing`: the real system for a user's own tests."""

import importlib.metadata
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from openmiosa.testing import LocalServer, LocalServerError

SOURCES = Path(__file__).resolve().parents[1] / "src"
# What a user would write: their settings, a helper's test, a test with a sandbox.
USERS_TESTS = """
import pytest

@pytest.fixture(scope="session")
def miosa_settings():
    return {"sandboxes": {"max_per_tenant": 1}, "upstream": {"static_hosts": {"api.example.com:443": "127.0.0.1:1"}}}

def test_it_answers(miosa, miosa_server):
    assert miosa.base_url.startswith(miosa_server.base_url)
    assert "sandboxes:write" in miosa.whoami().scopes

@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_its_own_sandbox(miosa, miosa_sandbox, number):
    assert miosa_sandbox.exec("ls; touch mine", cwd="/workspace").stdout == ""
    assert [one.id for one in miosa.sandboxes.list()] == [miosa_sandbox.id]
"""


def run_pytest(folder: Path, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The user's pytest, without this repository's settings."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "openmiosa.testing.plugin", "-q", *more, str(folder)]
    # The plugin is named instead of found, so that the test does not depend on when this environment was made.
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}, check=False
    )


def test_a_users_tests_get_the_real_system(tmp_path):
    (tmp_path / "test_users.py").write_text(USERS_TESTS)
    done = run_pytest(tmp_path)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_nothing_of_it_is_left():
    with LocalServer() as server:
        state = server.state
        assert (state / "log" / "server.log").exists()
        assert server.environment["MIOSA_BASE_URL"] == server.base_url
    assert not state.exists()


async def test_it_gives_asynchronous_clients_too():
    with LocalServer() as server:
        async with server.async_client() as client:
            assert (await client.whoami()).tenant_id


def test_without_the_server_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(environment_without_the_server(tmp_path)))
    with pytest.raises(LocalServerError, match="pip install openmiosa-server"):
        LocalServer().start()


def test_a_test_that_cannot_have_it_fails_and_says_why(tmp_path):
    (tmp_path / "test_users.py").write_text("def test_it(miosa_sandbox):\n    pass\n")
    done = run_pytest(tmp_path, OPENMIOSA_BIN_DIR=str(machine_without_sandboxes(tmp_path)))
    assert "1 error" in done.stdout
    assert "This machine cannot run sandboxes" in done.stdout
    assert "no user namespaces" in done.stdout
    assert "Traceback" not in done.stdout


def test_settings_that_are_none_are_said():
    with pytest.raises(LocalServerError, match=r"sandboxes\.max_per_tenants"):
        LocalServer({"sandboxes": {"max_per_tenants": 1}}).start()


def test_what_does_not_run_has_no_address():
    with pytest.raises(LocalServerError, match="context manager"):
        _ = LocalServer().base_url


def test_pytest_finds_the_fixtures_where_the_package_is_installed():
    plugins = importlib.metadata.entry_points(group="pytest11")
    assert "openmiosa.testing.plugin" in {plugin.value for plugin in plugins}


def test_unused_fixtures_cost_no_client():
    code = "import sys, openmiosa.testing.plugin; print(sorted(name for name in sys.modules if name.startswith(('httpx', 'openmiosa'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ["openmiosa", "openmiosa._version", "openmiosa.errors", "openmiosa.testing", "openmiosa.testing.plugin"]
    assert done.stdout.strip() == str(loaded)


def environment_without_the_server(folder: Path) -> Path:
    """A Python that has this package with what it needs, and not openmiosa-server."""
    here = Path(importlib.metadata.distribution("httpx2").locate_file(""))
    packages = folder / "packages"
    packages.mkdir()
    for one in here.iterdir():
        if not one.name.startswith(("openmiosa_server", "openmiosa_sources")):
            (packages / one.name).symlink_to(one)
    venv.create(folder / "venv", symlinks=True)
    site = next((folder / "venv" / "lib").glob("python3*")) / "site-packages"
    (site / "sources.pth").write_text(f"{packages}\n{SOURCES}\n")
    return folder / "venv" / "bin" / "python"


def machine_without_sandboxes(folder: Path) -> Path:
    """The data plane of a machine whose kernel lacks something."""
    binaries = folder / "bin"
    binaries.mkdir()
    cell = binaries / "cell"
    cell.write_text("#!/bin/sh\necho 'missing  user_namespaces  no user namespaces'\nexit 1\n")
    cell.chmod(0o755)
    return binaries
