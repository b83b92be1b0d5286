"""One part dies, the others go on."""

import httpx2
from openmiosa_server.testing import System

from .conftest import Box


def kill(system: System, program: str) -> None:
    """kill -9, and wait until the supervisor has it back."""
    system.wait_for_restart(program, system.kill(program))


def test_the_server_comes_back_and_adopts_what_runs(system: System, box: Box) -> None:
    pid = box.post("/processes", json={"command": "sleep 600", "name": "kept"}).json()["pid"]
    kill(system, "server")
    assert box.get("/processes/kept").json()["pid"] == pid
    assert box.get("/processes/kept").json()["status"] == "running"
    assert box.run("echo still here")["stdout"] == "still here\n"


def test_a_lost_runtime_is_taken_up_again_with_the_files(system: System, box: Box) -> None:
    box.run("echo kept > /workspace/file")
    kill(system, "cell")

    def back() -> bool:
        answer = box.post("/exec", json={"command": "cat /workspace/file"})
        return answer.status_code == 200 and answer.json()["data"]["stdout"] == "kept\n"

    system.wait(back, "the sandbox to be back with its file")


def test_a_lost_gateway_gets_everything_again(system: System, box: Box, client: httpx2.Client) -> None:
    assert client.post("/egress/lockdown", json={"resource_id": box.id, "hosts": ["a.example"]}).status_code == 200
    kill(system, "egressd")

    def refused() -> bool:
        return box.run("curl -s --max-time 5 https://b.example/")["stdout"].startswith("blocked: 403 MIOSA-Egress-Deny")

    system.wait(refused, "the lockdown to be in force again")
