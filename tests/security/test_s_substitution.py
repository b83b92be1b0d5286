"""S: substitution. A value goes only where its secret is bound, and only from its own sandbox."""

import pytest

from ..kit.oracle import Row
from ..kit.system import MODES

ALL_MODES = pytest.mark.parametrize("row", MODES, indirect=True)
CARRIERS = {
    "bearer": ["-H", "Authorization: Bearer $PH"],
    "own header": ["-H", "X-Api-Key: $PH"],
    "basic": ["-u", "user:$PH"],
    "query": ["-G", "--data-urlencode", "key=$PH"],
    "cookie": ["-H", "Cookie: session=$PH"],
}


@ALL_MODES
@pytest.mark.parametrize("carrier", CARRIERS)
def test_S_01_a_placeholder_on_the_way_to_an_unbound_host_is_refused(row: Row, carrier: str):
    row.expect("ok2.test", "reject", "secret-unbound")
    answer = row.curl(*CARRIERS[carrier], "https://ok2.test/")
    assert answer.startswith("blocked: 403 MIOSA-Egress-Deny")
    assert "reason: secret-unbound" in answer


@ALL_MODES
@pytest.mark.parametrize("carrier", ["bearer", "own header", "basic", "query"])
def test_S_01_the_bound_host_gets_the_value(row: Row, carrier: str):
    row.expect("ok.test", "allow")
    row.curl(*CARRIERS[carrier], "https://ok.test/")
    (request,) = row.world.internet.dialled(row.mark)[-1].requests
    assert row.carries(request, "s1")


@ALL_MODES
def test_S_01_a_placeholder_in_the_path_of_an_unbound_host_is_refused(row: Row):
    row.expect("ok2.test", "reject", "secret-unbound")
    assert "reason: secret-unbound" in row.curl("https://ok2.test/keys/$PH/x")


@ALL_MODES
def test_S_01_a_value_never_goes_over_plain_http(row: Row):
    row.expect("ok.test", "reject", "secret-needs-tls")
    assert "reason: secret-needs-tls" in row.curl("-H", "Authorization: Bearer $PH", "http://ok.test/")


@ALL_MODES
def test_S_03_a_placeholder_of_another_sandbox_is_refused(row: Row):
    other = row.world.sandbox()
    try:
        other.secrets.set(name="theirs", value=row.foreign("ok.test"), expose_as_env="PHB", allowed_hosts=["ok.test"])
        stolen = other.exec("echo $PHB").stdout.strip()
        assert stolen.startswith("miosa-tok-")
        row.expect("ok.test", "reject", "placeholder-foreign")
        assert "reason: placeholder-foreign" in row.curl("-H", f"Authorization: Bearer {stolen}", "https://ok.test/")
    finally:
        other.destroy()


@ALL_MODES
def test_S_03_the_same_secret_has_another_placeholder_in_another_sandbox(row: Row):
    other = Row(row.world, row.mode)
    try:
        assert other.run("echo $PH").stdout != row.run("echo $PH").stdout
        other.judge()
    finally:
        other.close()


@ALL_MODES
def test_S_03_a_made_up_placeholder_is_refused(row: Row):
    row.expect("ok.test", "reject", "placeholder-unknown")
    assert "reason: placeholder-unknown" in row.curl("-H", f"Authorization: Bearer miosa-tok-{'0' * 32}", "https://ok.test/")
