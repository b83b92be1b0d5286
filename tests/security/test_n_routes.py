"""N: addresses and routes. Whatever is dialled arrives at the gateway, and nowhere else."""

import pytest

from ..kit.oracle import Row
from ..kit.system import MODES
from ..kit.upstreams import Response

ALL_MODES = pytest.mark.parametrize("row", MODES, indirect=True)
LOCKED = pytest.mark.parametrize("row", ["enforce", "lockdown"], indirect=True)

METADATA = [
    "169.254.169.254",
    "169.254.169.253",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
]
SPECIAL = [
    "0.1.2.3",
    "10.0.0.5",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.1.1",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::ffff:10.0.0.5",
    "64:ff9b::a00:5",
    "64:ff9b:1::a00:5",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:5::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@LOCKED
def test_N_01_a_client_without_proxy_variables_is_refused_at_once(row: Row):
    row.expect("no.test", "reject", "host-denied")
    answer = row.run(["env", "-i", "/usr/bin/curl", "-s", "--noproxy", "*", "-m", "5", "-w", "%{time_total}", "https://no.test/"]).stdout
    assert answer.startswith("blocked: 403 MIOSA-Egress-Deny\nhost: no.test\n")
    assert float(answer.splitlines()[-1]) < 1


def test_N_01_a_client_without_proxy_variables_is_recorded(row: Row):
    row.expect("no.test", "allow")
    answer = row.run(["env", "-i", "/usr/bin/curl", "-s", "--noproxy", "*", "-m", "5", "https://no.test/"])
    assert answer.stdout == '{"ok": true}'


@ALL_MODES
def test_N_01_a_raw_connection_to_an_address_meets_the_gateway(row: Row):
    row.expect("1.1.1.1", "reject", "literal-denied")
    answer = row.probe("tls", host="1.1.1.1", sni=None, send="GET / HTTP/1.1\r\nHost: 1.1.1.1\r\nConnection: close\r\n\r\n")
    assert "reason: literal-denied" in answer["received"]
    assert answer["seconds"] < 2


@ALL_MODES
def test_N_01_a_connection_that_says_nothing_is_recorded(row: Row):
    row.expect("1.1.1.1", "client_cancel")
    assert "error" not in row.probe("connect", host="1.1.1.1", port=443)


@ALL_MODES
def test_N_05_metadata_addresses_are_refused(row: Row):
    for address in METADATA:
        row.expect(address, "reject", "literal-denied")
    assert reasons(row, [f"http://{literal(address)}/latest/meta-data/" for address in METADATA]) == ["literal-denied"] * len(METADATA)


def test_N_05_metadata_addresses_are_refused_even_when_a_rule_names_them(row: Row):
    for address in METADATA:
        row.sandbox.network.allow("fd00::/8" if ":" in address else f"{address}/32")
        row.expect(address, "reject", "addr-denied")
    assert reasons(row, [f"http://{literal(address)}/latest/meta-data/" for address in METADATA]) == ["addr-denied"] * len(METADATA)


@ALL_MODES
@pytest.mark.parametrize("name", ["metadata.google.internal", "instance-data"])
def test_N_05_metadata_names_are_refused_even_when_allowed(row: Row, name: str):
    row.world.names.set(name, ["169.254.169.254"])
    if "." in name:
        row.sandbox.network.allow(name)
    row.expect(name, "reject", "addr-denied")
    assert "reason: addr-denied" in row.curl(f"http://{name}/computeMetadata/v1/")


@pytest.mark.parametrize("row", ["audit_only", "lockdown"], indirect=True)
def test_N_06_names_that_lead_to_special_addresses_are_refused(row: Row):
    names = [f"special-{number}.ok.test" for number in range(len(SPECIAL))]
    for name, address in zip(names, SPECIAL, strict=True):
        row.world.names.set(name, [address])
        row.expect(name, "reject", "addr-denied", asked=True)
    row.sandbox.network.allow("*.ok.test")
    assert reasons(row, [f"https://{name}/" for name in names]) == ["addr-denied"] * len(SPECIAL)


def test_N_06_a_private_range_opens_only_to_a_rule_that_names_its_cidr(row: Row):
    row.world.names.set("private.ok.test", ["10.20.0.7"])
    row.expect("private.ok.test", "reject", "addr-denied", asked=True)
    row.curl("https://private.ok.test/")
    row.sandbox.network.allow("10.20.0.0/16")
    row.expect("private.ok.test", "allow")
    row.may_dial("10.20.0.7")
    assert row.curl("https://private.ok.test/") == '{"ok": true}'


@ALL_MODES
def test_N_07_an_allowed_name_with_a_private_address_is_not_dialled(row: Row):
    row.world.names.set("reb.test", ["10.0.0.5"])
    row.expect("reb.test", "reject", "addr-denied", asked=True)
    assert "reason: addr-denied" in row.curl("https://reb.test/")


@ALL_MODES
def test_N_12_the_network_cannot_be_changed_from_inside(row: Row):
    tried = row.probe("netlink")
    assert all("error" in outcome for outcome in tried.values() if isinstance(outcome, dict)), tried
    written = row.run("for f in /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/forwarding; do echo 1 > $f && echo written; done")
    assert "written" not in written.stdout
    row.expect("no.test", "allow" if row.mode == "audit_only" else "reject", None if row.mode == "audit_only" else "host-denied")
    row.curl("https://no.test/")


@ALL_MODES
def test_N_13_datagrams_are_refused_at_once(row: Row):
    targets = [("ok.test", 443), ("1.1.1.1", 443), ("ok.test", 51820), ("2606:4700::1111", 3478)]
    answers = row.probes([{"do": "udp", "host": host, "port": port} for host, port in targets])
    assert [answer["error"] for answer in answers] == ["ECONNREFUSED"] * len(targets)
    assert max(answer["seconds"] for answer in answers) < 1


@ALL_MODES
def test_N_13_other_ways_out_cannot_even_be_made(row: Row):
    made = row.probe("sockets")
    assert {name: "error" in result for name, result in made.items() if isinstance(result, dict)} == dict.fromkeys(
        ["raw", "raw6", "packet", "ping", "vsock", "udplite", "sctp"], True
    )


def test_N_13_offers_of_http3_are_taken_out(row: Row):
    row.world.internet.answer("ok2.test", lambda _: Response(headers={"Alt-Svc": 'h3=":443"; ma=86400'}))
    row.expect("ok2.test", "allow")
    assert "alt-svc" not in row.curl("-i", "https://ok2.test/").lower()


def literal(address: str) -> str:
    """An address as a URL writes it."""
    return f"[{address}]" if ":" in address else address


def reasons(row: Row, urls: list[str]) -> list[str]:
    """Why each of these was refused, in order."""
    said = row.run("; ".join(f"curl -s -m 10 {url} | grep reason:" for url in urls), timeout=120).stdout
    return [line.removeprefix("reason: ") for line in said.splitlines()]
