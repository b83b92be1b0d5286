"""Settled: the interception CA, the environment of an exec, the host template, names."""

import asyncio
import contextlib
import threading

from ..kit.oracle import Row
from ..kit.system import World
from ..kit.upstreams import Response

_MERGED = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32", "usr"}
SHOWN = _MERGED | {"dev", "etc", "home", "opt", "proc", "run", "sys", "tmp", "var", "workspace"}


def test_cell_gets_the_certificate_alone(row: Row):
    found = row.run("grep -rl 'PRIVATE KEY' /etc /workspace /tmp /home /dev /run /var /opt 2>/dev/null")
    assert found.stdout == ""
    for folder in (row.world.system.places.cell, row.world.system.places.run):
        assert [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()] == []


def test_the_authority_of_one_sandbox_is_not_trusted_in_another(row: Row, world: World):
    other = world.sandbox()
    try:
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        mine = set(row.run(f"cat {bundle}").stdout.split("-----BEGIN CERTIFICATE-----"))
        theirs = set(other.exec(f"cat {bundle}").stdout.split("-----BEGIN CERTIFICATE-----"))
        assert len(mine - theirs) == len(theirs - mine) == 1
    finally:
        other.destroy()


def test_placeholders_are_in_every_exec_and_on_no_disk(row: Row):
    placeholder = row.run("echo $PH").stdout.strip()
    assert placeholder.startswith("miosa-tok-")
    assert len(placeholder) == len("miosa-tok-") + 32
    layer = row.world.system.places.cell
    assert [path for path in layer.rglob("*") if path.is_file() and placeholder.encode() in path.read_bytes()] == []


def test_placeholders_beat_the_template_and_lose_to_explicit_variables(world: World):
    row = Row(world)
    sandbox = world.sandbox(env={"PH": "from the template", "OTHER": "kept"})
    try:
        sandbox.secrets.set(name="s1", value=row.foreign("ok.test"), expose_as_env="PH", allowed_hosts=["ok.test"])
        said = sandbox.exec('echo "$PH|$OTHER"').stdout.strip()
        assert said.startswith("miosa-tok-")
        assert said.endswith("|kept")
        assert sandbox.exec("echo $PH", env={"PH": "explicit"}).stdout.strip() == "explicit"
    finally:
        sandbox.destroy()
        row.close()


def test_running_processes_keep_the_environment_they_had(row: Row):
    process = row.sandbox.processes.start('while [ ! -e /workspace/look ]; do sleep 0.05; done; echo "late=$LATE"')
    row.secret("late", "ok.test", "LATE")
    row.sandbox.files.write("/workspace/look", "")
    row.world.wait(lambda: row.sandbox.processes.get(process.pid).exit_code == 0, "the process")
    assert row.sandbox.processes.logs(process.pid).strip() == "late="
    assert row.run("echo $LATE").stdout.startswith("miosa-tok-")


def test_the_placeholder_outlives_rotation(row: Row):
    before = row.run("echo $PH").stdout
    row.rotate("s1")
    assert row.run("echo $PH").stdout == before


def test_nothing_of_the_host_is_seen_but_its_programs(row: Row):
    listed = set(row.run("ls -A /").stdout.split())
    hidden = row.run("ls -A /root /var/lib /home; cat /etc/shadow /etc/machine-id /etc/ssh/*; ls -A /etc").stdout.split()
    assert listed <= SHOWN
    assert not {"shadow", "gshadow", "machine-id", "ssh", "sudoers"} & set(hidden)
    assert row.run("ls -A /home").stdout.split() == ["agent"]
    assert "openmiosa-world" not in row.run("env; ls -lA /etc /workspace /home/agent").stdout


def test_programs_are_read_only_and_the_three_folders_are_not(row: Row):
    assert row.run("touch /usr/bin/x || touch /etc/x || touch /bin/x").exit_code != 0
    assert row.run("touch /workspace/x /tmp/x $HOME/x && echo ok").stdout == "ok\n"


def test_the_default_template_has_python_and_trusts_our_authority_without_variables(row: Row):
    row.expect("ok2.test", "allow", times=2)
    program = "import urllib.request; print(urllib.request.urlopen('https://ok2.test/').read().decode())"
    assert '"ok"' in row.run(["env", "-i", "/usr/bin/python3", "-c", program]).stdout
    assert '"ok"' in row.run(["env", "-i", "/usr/bin/curl", "-s", "https://ok2.test/"]).stdout


def test_the_agent_has_no_capabilities_and_cannot_gain_any(row: Row):
    status = row.run("grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status").stdout
    values = dict(line.split(":\t") for line in status.strip().splitlines())
    assert {int(value, 16) for name, value in values.items() if name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert values["NoNewPrivs"] == "1"
    assert values["Seccomp"] == "2"


def test_sandboxes_secrets_and_rules_are_addressed_by_id_and_by_name(row: Row):
    client, sandbox = row.world.client, row.sandbox
    assert client.sandboxes.get(sandbox.name).id == client.sandboxes.get(sandbox.id).id == sandbox.id
    secret = sandbox.secrets.get("s1")
    assert sandbox.secrets.get(secret.id).name == "s1"
    assert row.world.call("GET", f"/egress/secrets/s1?resource_id={sandbox.name}").json()["data"]["id"] == secret.id
    rule = sandbox.network.allow("by-name.test")
    sandbox.network.remove("by-name.test")
    assert rule.id not in [each.id for each in sandbox.network.rules()]


def test_allow_twice_and_a_bare_lockdown_give_the_policy_of_a_lockdown_with_hosts(row: Row, world: World):
    other = Row(world)
    try:
        for host in ("ok.test", "ok2.test"):
            row.sandbox.network.allow(host)
        bare = row.sandbox.network.lockdown()
        given = other.sandbox.network.lockdown(["ok.test", "ok2.test"])
        assert bare.mode == given.mode == "enforce"
        assert {rule.host for rule in bare.allow_rules} == {rule.host for rule in given.allow_rules} == {"ok.test", "ok2.test"}
    finally:
        other.close()


def test_a_refused_host_is_pending_with_its_reason(row: Row):
    row.sandbox.network.lockdown(["ok.test"])
    row.expect("no.test", "reject", "host-denied", times=2)
    row.curl("https://no.test/")
    row.curl("https://no.test/")
    row.world.wait(row.world.shipped, "the records")
    (pending,) = row.sandbox.network.pending()
    assert (pending.host, pending.count, pending.reason) == ("no.test", 2, "host-denied")


def test_a_secret_without_a_host_is_inert_and_waits(row: Row):
    row.sandbox.secrets.set(name="homeless", value=row.foreign("nowhere.test"), expose_as_env="HOMELESS_THING")
    row.expect("ok2.test", "reject", "secret-inert")
    assert "reason: secret-inert" in row.curl("-H", "Authorization: Bearer $HOMELESS_THING", "https://ok2.test/")
    row.world.wait(row.world.shipped, "the records")
    assert [(pending.host, pending.secret) for pending in row.sandbox.network.pending()] == [("ok2.test", "homeless")]


def test_acknowledged_allow_and_deny_hold_for_the_very_next_request(row: Row):
    row.sandbox.network.lockdown([])
    for turn in range(5):
        row.expect("ok2.test", "reject", "host-denied")
        assert row.curl("https://ok2.test/").startswith("blocked: 403"), turn
        rule = row.sandbox.network.allow("ok2.test")
        row.expect("ok2.test", "allow")
        assert row.curl("https://ok2.test/") == '{"ok": true}', turn
        row.sandbox.network.remove(rule.id)


def test_an_event_is_live_before_the_answer_has_ended(row: Row):
    ended, seen = threading.Event(), threading.Event()

    async def slow():
        yield b"first"
        await asyncio.to_thread(ended.wait, 30)
        yield b"last"

    def watch() -> None:
        with contextlib.closing(row.world.connect()) as client:
            for event in client.sandboxes.get(row.sandbox.id).audit.tail():
                if event.host == "ok2.test":
                    seen.set()
                    return

    row.world.internet.answer("ok2.test", lambda _: Response(stream=slow))
    row.expect("ok2.test", "allow")
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        row.sandbox.processes.start("curl -s https://ok2.test/ > /workspace/out; touch /workspace/ended")
        assert seen.wait(20)
        assert not row.sandbox.files.exists("/workspace/ended")
    finally:
        ended.set()
        watcher.join(10)
        row.world.wait(lambda: row.sandbox.files.exists("/workspace/ended"), "the client")
        row.world.internet.answer("ok2.test", lambda _: Response())
