"""Any of the three siblings dies by SIGKILL: nothing opens, nothing is lost, and it comes back."""

import pytest

from ..kit.oracle import Row
from ..kit.system import World
from .test_settled_network import Agent


@pytest.fixture
def held(own_world: World):
    """A row in the world that may be broken; judged without the process ids, which change here."""
    made = Row(own_world)
    try:
        yield made
        made.accept_restarts()
        made.judge()
    finally:
        made.close()


def test_without_egressd_there_is_no_network_and_with_it_a_retry_works(held: Row):
    system = held.world.system
    held.expect("ok2.test", "allow", times=2)
    assert held.curl("https://ok2.test/") == '{"ok": true}'
    before = held.world.internet.mark()
    old = system.kill("egressd")
    # While it is away connections queue or fail; when it is back the same command works.
    answer = held.run("until curl -s -m 10 https://ok2.test/; do :; done", timeout=60).stdout
    system.wait_for_restart("egressd", old)
    assert answer == '{"ok": true}'
    assert {connection.peer_uid for connection in held.world.internet.dialled(before)} <= {held.world.egress_uid, None}


def test_while_egressd_is_dead_nothing_leaves(held: Row):
    before = held.world.internet.mark()
    with held.world.held_still("up"):
        held.world.system.kill("egressd")
        # A connection waits in the listener's queue; a name gets no answer. Neither finds another way.
        assert held.run("curl -s -m 2 http://9.9.9.9/").exit_code == CURL_TIMEOUT
        assert held.run("curl -s -m 2 https://ok2.test/").exit_code != 0
        assert held.world.internet.dialled(before) == []
    held.expect("9.9.9.9", "reject", "literal-denied")
    held.world.wait(lambda: held.run("curl -s -m 5 https://ok2.test/").stdout == '{"ok": true}', "egressd")
    held.expect("ok2.test", "allow")


def test_nothing_is_accepted_before_the_snapshot_is_there(held: Row):
    system = held.world.system
    before = held.world.internet.mark()
    held.expect("ok2.test", "allow")
    with held.world.held_still("server"):
        old = system.kill("egressd")
        system.wait_for_restart("egressd", old)
        process = held.world.start_beside_the_server(held.sandbox.id, "curl -s https://ok2.test/ > /workspace/got")
        held.world.wait(lambda: held.world.egress_status()["boot"], "egressd")
        assert held.world.egress_status()["sandboxes"] == [] or not held.world.egress_status()["sandboxes"][0]["revision"]
        assert held.world.internet.dialled(before) == []
        assert process["state"] == "running"
    held.world.wait(lambda: held.sandbox.files.exists("/workspace/got") and held.sandbox.files.read("/workspace/got"), "the answer")
    assert held.sandbox.files.read_text("/workspace/got") == '{"ok": true}'


def test_a_running_agent_still_trusts_the_authority_after_egressd_came_back(held: Row):
    system = held.world.system
    first = held.run(["python3", "-c", ISSUER]).stdout
    old = system.kill("egressd")
    system.wait_for_restart("egressd", old)
    held.world.wait(lambda: all(known["listening"] for known in held.world.egress_status()["sandboxes"]), "the listeners")
    assert held.run(["python3", "-c", ISSUER]).stdout == first != ""
    held.expect("ok2.test", "client_cancel", times=2)


def test_a_value_is_lent_again_after_egressd_came_back(held: Row):
    held.expect("ok.test", "allow", times=2)
    assert held.curl("-H", "Authorization: Bearer $PH", "https://ok.test/") == '{"ok": true}'
    old = held.world.system.kill("egressd")
    held.world.system.wait_for_restart("egressd", old)
    answer = held.run('until curl -s -f -m 10 -H "Authorization: Bearer $PH" https://ok.test/; do :; done', timeout=60).stdout
    assert answer == '{"ok": true}'
    assert all(held.carries(request, "s1") for connection in held.world.internet.dialled(held.mark) for request in connection.requests)


def test_sandboxes_keep_working_under_the_last_revision_while_the_server_is_dead(held: Row):
    system = held.world.system
    held.sandbox.network.lockdown(["ok.test"])
    agent = Agent(held)
    held.expect("ok.test", "allow", times=3)
    assert agent.ask()[0] == 200
    held.sandbox.files.write("/workspace/loop.sh", LOOP)
    process = held.sandbox.processes.start("sh /workspace/loop.sh")
    held.world.wait(lambda: len(held.decisions()) >= 2, "the loop")
    old = system.kill("server")
    system.wait_for_restart("server", old)
    held.world.wait(lambda: _answers(held), "the server")
    held.sandbox.files.write("/workspace/enough", "")
    held.sandbox.processes.wait(process.pid, timeout=30)
    codes = held.sandbox.files.read_text("/workspace/codes").split()
    assert set(codes) == {"200"}
    held.expect("ok.test", "allow", times=len(codes))
    assert agent.ask()[0] == agent.ask()[0] == 200
    agent.stop()


def test_the_server_adopts_its_sandboxes_with_their_processes_and_output(held: Row):
    system = held.world.system
    process = held.sandbox.processes.start("echo before; while [ ! -e /workspace/finish ]; do sleep 0.1; done; echo after")
    old = system.kill("server")
    system.wait_for_restart("server", old)
    held.world.wait(lambda: _answers(held), "the server")
    assert held.sandbox.refresh().state == "running"
    held.sandbox.files.write("/workspace/finish", "")
    held.world.wait(lambda: held.sandbox.processes.get(process.pid).exit_code == 0, "the process")
    assert held.sandbox.processes.logs(process.pid).split() == ["before", "after"]


def test_a_returning_server_raises_the_epoch_before_its_first_change(held: Row):
    system = held.world.system
    before = held.world.egress_status()["epoch"]
    old = system.kill("server")
    system.wait_for_restart("server", old)
    held.world.wait(lambda: _answers(held), "the server")
    held.rotate("s1")
    assert held.world.egress_status()["epoch"] > before


def test_events_of_the_time_without_a_server_arrive_exactly_once(held: Row):
    system = held.world.system
    held.sandbox.files.write("/workspace/loop.sh", LOOP)
    process = held.sandbox.processes.start("sh /workspace/loop.sh")
    held.world.wait(held.decisions, "the loop")
    for _ in range(3):
        old = system.kill("server")
        system.wait_for_restart("server", old)
    held.world.wait(lambda: _answers(held), "the server")
    held.sandbox.files.write("/workspace/enough", "")
    held.sandbox.processes.wait(process.pid, timeout=30)
    held.expect("ok.test", "allow", times=len(held.sandbox.files.read_text("/workspace/codes").split()))


def test_files_outlive_a_dead_cell(held: Row):
    system = held.world.system
    held.sandbox.files.write("/workspace/kept", "still here")
    old = system.kill("cell")
    system.wait_for_restart("cell", old)
    held.world.wait(lambda: held.run("cat /workspace/kept").stdout == "still here", "the sandbox")


ISSUER = """
import socket, ssl
raw = socket.create_connection(("ok2.test", 443), 20)
print(ssl.create_default_context().wrap_socket(raw, server_hostname="ok2.test").getpeercert()["issuer"])
"""
CURL_TIMEOUT = 28
LOOP = """
while [ ! -e /workspace/enough ]; do
    curl -s -o /dev/null -w '%{http_code}\\n' -H "Authorization: Bearer $PH" https://ok.test/loop >> /workspace/codes
done
"""


def _answers(row: Row) -> bool:
    try:
        return row.world.client.whoami() is not None
    except Exception:
        return False
