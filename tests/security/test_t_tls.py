"""T: TLS on both sides of the gateway."""

import ssl

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..kit.authority import Authority
from ..kit.oracle import Row
from ..kit.system import MODES

ALL_MODES = pytest.mark.parametrize("row", MODES, indirect=True)


def request(host: str, *more: str) -> str:
    """One plain request that ends its connection."""
    return "\r\n".join(["GET / HTTP/1.1", f"Host: {host}", "Connection: close", *more, "", ""])


@ALL_MODES
def test_T_01_another_host_in_the_header_is_refused(row: Row):
    row.expect("ok.test", "reject", "authority-mismatch")
    answer = row.probe("tls", host="ok.test", sni="ok.test", send=request("no.test"))
    assert answer["received"].startswith("HTTP/1.1 421 ")


@ALL_MODES
def test_T_01_a_bound_host_in_the_header_gets_no_value(row: Row):
    row.expect("ok2.test", "reject", "authority-mismatch")
    answer = row.probe("tls", host="ok2.test", sni="ok2.test", send=request("ok.test", "Authorization: Bearer $PH"))
    assert "reason: authority-mismatch" in answer["received"]


@ALL_MODES
def test_T_01_another_name_in_the_handshake_is_refused(row: Row):
    row.run("getent hosts no.test ok.test")
    row.expect("no.test", "reject", "authority-mismatch")
    answer = row.probe("tls", host="ok.test", sni="no.test", send=request("no.test"))
    assert "reason: authority-mismatch" in answer["received"]


@ALL_MODES
def test_T_01_plain_http_to_one_name_with_another_is_refused(row: Row):
    row.expect("ok.test", "reject", "authority-mismatch")
    answer = row.probe("plain", host="ok.test", send=request("ok2.test", "Authorization: Bearer $PH"))
    assert answer["received"].startswith("HTTP/1.1 421 ")


@ALL_MODES
def test_T_01_a_port_in_the_header_must_be_the_real_one(row: Row):
    row.expect("ok.test", "reject", "authority-mismatch")
    answer = row.probe("tls", host="ok.test", sni="ok.test", send=request("ok.test:8443"))
    assert answer["received"].startswith("HTTP/1.1 421 ")


@ALL_MODES
def test_T_03_a_handshake_without_a_name_is_refused(row: Row):
    row.expect("ok.test", "reject", "sni-missing")
    answer = row.probe("tls", host="ok.test", sni=None, send=request("ok.test", "Authorization: Bearer $PH"))
    assert "reason: sni-missing" in answer["received"]


@pytest.mark.parametrize(
    "name", ["expired", "not-yet", "other-name", "cn-only", "self-signed", "untrusted", "client-only", "a.b.wide", "constrained", "old-tls"]
)
def test_T_12_a_bad_upstream_certificate_ends_the_call(row: Row, name: str):
    host = f"{name}.test"
    row.world.names.set(host, [f"11.2.0.{len(name)}"])
    if name == "old-tls":
        row.world.internet.newest_version(f"11.2.0.{len(name)}", ssl.TLSVersion.TLSv1_1)
    else:
        row.world.internet.certificate(host, bad_certificate(row, name))
    row.secret("s3", host, "PH3")
    row.expect(host, "error", "upstream-tls")
    row.may_dial(host)
    row.may_dial(f"11.2.0.{len(name)}")
    answer = row.curl("-i", f"https://{host}/", "-H", "Authorization: Bearer $PH3")
    assert answer.startswith("HTTP/1.1 502 ")
    assert "failed: 502 MIOSA-Egress-Deny" in answer
    assert row.world.internet.requests(host) == []


def bad_certificate(row: Row, name: str) -> ssl.SSLContext:
    """One way in which an upstream's certificate can be wrong, under the authority that the operator trusts."""
    good, host = row.world.internet.authority, f"{name}.test"
    match name:
        case "expired":
            return good.context(host, days=(-30, -1))
        case "not-yet":
            return good.context(host, days=(1, 30))
        case "other-name":
            return good.context("somebody-else.test")
        case "cn-only":
            return good.context(common_name=host)
        case "self-signed":
            return good.context(host, self_signed=True)
        case "untrusted":
            return Authority("nobody trusts me").context(host)
        case "client-only":
            return good.context(host, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        case "a.b.wide":
            return good.context("*.wide.test")
        case "constrained":
            return good.subordinate("example.test").context(host)
    raise ValueError(name)
