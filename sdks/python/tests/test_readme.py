"""The README's blocks, run as they stand: against the real system, one after another, like somebody who reads them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openmiosa.testing import LocalServer

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def server():
    """A system of the reader's own."""
    with LocalServer() as made:
        yield made


def run(command: list[str], folder: Path, server: LocalServer) -> str:
    """What a program of the reader's prints; it must end well."""
    env = {**os.environ, **server.environment, "OPENAI_API_KEY": "sk-proj-the-readers-own-0123456789"}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=folder, env=env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_blocks_do_what_their_comments_say(server, tmp_path):
    (tmp_path / "reader.py").write_text("\n".join(block for block in BLOCKS if "def test_" not in block))
    said = run(["-W", "error", "reader.py"], tmp_path, server)
    for line in ("miosa-tok-", "stdout one", "stderr two", "b'over a socket\\n'", "8 of 8", "enforce", "SERVICE_KEY", "NOT_FOUND req_"):
        assert line in said
    assert "[audit] reject pypi.example HTTP 403 secrets=none" in said
    assert (tmp_path / "copy.csv").read_text() == "a,b\n1,2\n"


def test_the_block_with_a_test_is_one(tmp_path):
    (test,) = [block for block in BLOCKS if "def test_" in block]
    (tmp_path / "test_mine.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "openmiosa.testing.plugin", str(tmp_path)]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
