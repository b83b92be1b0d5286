"""The asynchronous client, once over; the synchronous one is made from it and tested in full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openmiosa import AsyncMiosa, AsyncSandbox, Miosa, Sandbox

pytestmark = pytest.mark.anyio
RUNNING = {"data": {"id": "sbx_1", "name": "agent", "state": "running"}}


@pytest.fixture
async def api(server):
    """An asynchronous client."""
    async with AsyncMiosa("msk_x", server.url) as made:
        yield made


async def test_a_sandbox_from_its_beginning_to_its_end(server, api):
    server.answers("POST", "/sandboxes", RUNNING, 201)
    server.answers("POST", "/sandboxes/sbx_1/exec", {"data": {"stdout": "hi\n", "exit_code": 0}})
    server.on("DELETE", "/sandboxes/sbx_1", server.reply(204))
    async with await api.sandboxes.create("agent") as sandbox:
        assert (await sandbox.exec("echo hi")).stdout == "hi\n"
    assert len(server.requests("DELETE", "/sandboxes/sbx_1")) == 1


async def test_lists_are_asynchronous_iterators(server, api):
    server.answers("GET", "/sandboxes", {"data": [RUNNING["data"]]})
    assert [one.name async for one in api.sandboxes.list()] == ["agent"]
    assert len(await api.sandboxes.list().all()) == 1


async def test_output_streams(server, api):
    server.answers("GET", "/sandboxes/sbx_1", RUNNING)
    frames = 'data: {"type":"stdout","line":"one"}\n\n', 'data: {"type":"exit","exit_code":0}\n\n'
    server.streams("POST", "/sandboxes/sbx_1/exec/stream", *frames)
    sandbox = await api.sandboxes.get("sbx_1")
    assert [event.type async for event in sandbox.exec_stream("x")] == ["stdout", "exit"]


async def test_mutations_are_repeated_under_one_key(server, api):
    server.on("POST", "/egress/secrets", server.reply(drop=True), server.reply(201, {"data": {"id": "sec_1", "name": "k"}}))
    await api.secrets.set(name="k", value="v")
    assert len({one.headers["idempotency-key"] for one in server.seen}) == 1


def test_the_synchronous_files_are_up_to_date():
    tool = Path(__file__).parents[3] / "tools" / "async_to_sync.py"
    checked = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("one", "other"), [(Miosa, AsyncMiosa), (Sandbox, AsyncSandbox)])
def test_both_clients_have_the_same_methods(one, other):
    assert _public(one) == {"close" if name == "aclose" else name for name in _public(other)}


def _public(kind):
    return {name for name in vars(kind) if not name.startswith("_")}


def test_no_word_of_asynchrony_is_left_in_the_synchronous_files():
    folder = Path(__file__).parents[1] / "src" / "openmiosa" / "_sync"
    lines = [(path.name, line) for path in folder.glob("*.py") for line in path.read_text().splitlines()[1:]]
    assert [line for line in lines if "await " in line[1] or "anyio" in line[1]] == []


def test_importing_the_package_is_light():
    heavy = "httpx2", "rich", "cyclopts", "pydantic", "wsproto"
    program = f"import openmiosa, sys; sys.exit(' '.join(set({heavy!r}) & set(sys.modules)) or 0)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr


def test_every_public_name_is_there():
    import openmiosa

    assert [name for name in openmiosa.__all__ if getattr(openmiosa, name, None) is None] == []
