"""The same against the real egressd: what it says it holds is what the database says it should."""

import asyncio
import os
import shutil
import signal

import pytest
from openmiosa_server.network import AddRule
from openmiosa_server.vault import RotateSecret, SecretValue


@pytest.fixture
async def start_egressd(core):
    """Starts egressd in the core's folder, with link.sock served; more than once after kills."""
    program = shutil.which("egressd", path=f"{os.environ.get('OPENMIOSA_BIN_DIR', '')}:{os.environ['PATH']}")
    assert program, "egressd is not built: run `make build`, or set OPENMIOSA_BIN_DIR"
    running = []
    (core.folder / "egressd.toml").write_text("")
    (core.folder / "journal").mkdir()
    await core.link.start()

    async def start():
        arguments = ["--run-dir", core.folder, "--journal-dir", core.folder / "journal", "--config", core.folder / "egressd.toml"]
        process = await asyncio.create_subprocess_exec(program, *map(str, arguments), stdout=asyncio.subprocess.DEVNULL)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def test_its_hello_brings_what_the_database_holds(core, start_egressd, eventually, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    await start_egressd()
    await eventually(lambda: core.publisher.connected)
    status = await core.egress.status()
    assert {lease["lease"]: lease["version"] for lease in status["leases"]} == {f"ca_{sandbox}": 1, bound.secret.id: 1}
    assert [(each["sandbox"], each["revision"]) for each in status["sandboxes"]] == [(sandbox, await core.revision(sandbox))]


async def test_a_rotation_and_a_rule_are_there_when_they_return(core, start_egressd, eventually, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    await start_egressd()
    await eventually(lambda: core.publisher.connected)
    await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("sk-proj-the-next-one-0123456789")))
    await core.network.deny(principal, AddRule("evil.test", resource_id=sandbox))
    status = await core.egress.status()
    assert {"lease": bound.secret.id, "version": 2} in status["leases"]
    assert status["sandboxes"][0]["revision"] == await core.revision(sandbox)


async def test_killed_it_comes_back_to_the_newest_state(core, start_egressd, eventually, secret):
    principal = await core.tenant()
    sandbox = await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    first = await start_egressd()
    await eventually(lambda: core.publisher.connected)
    boot = core.publisher.held.boot
    first.kill()
    await first.wait()
    await core.vault.rotate(principal, "openai_key", RotateSecret(SecretValue("sk-proj-while-it-was-gone-0123")))
    await start_egressd()
    await eventually(lambda: core.publisher.connected and core.publisher.held.boot != boot)
    status = await core.egress.status()
    assert {"lease": bound.secret.id, "version": 2} in status["leases"]
    assert [each["sandbox"] for each in status["sandboxes"]] == [sandbox]


async def test_a_server_that_returns_fences_it_and_deletes_leftovers(core, start_egressd, eventually, secret):
    principal = await core.tenant()
    await core.sandbox(principal)
    bound = await core.vault.set(principal, secret)
    await start_egressd()
    await eventually(lambda: core.publisher.connected)
    epoch = (await core.egress.status())["epoch"]
    await core.vault.delete(principal, "openai_key")
    await core.publisher.resync()
    status = await core.egress.status()
    assert status["epoch"] > epoch
    assert bound.secret.id not in {lease["lease"] for lease in status["leases"]}
