"""D: names. No query that a sandbox chose ever leaves."""

import pytest

from ..kit.oracle import Row
from ..kit.system import ADDRESSES, MODES
from ..kit.upstreams import Response

ALL_MODES = pytest.mark.parametrize("row", MODES, indirect=True)
KINDS = {"A": 1, "AAAA": 28, "TXT": 16, "NULL": 10, "MX": 15, "SRV": 33, "CNAME": 5, "PTR": 12, "HTTPS": 65, "SVCB": 64}


@ALL_MODES
def test_D_01_data_in_labels_stays_inside(row: Row):
    answers = row.probes(
        [{"do": "query", "name": f"mzxw6ytboi.{kind.lower()}.evil.test", "kind": number} for kind, number in KINDS.items()]
    )
    assert [answer["code"] for answer in answers] == [0] * len(KINDS)
    assert {kind: answer["answers"] for kind, answer in zip(KINDS, answers, strict=True)} == {**dict.fromkeys(KINDS, 0), "A": 1}
    assert row.world.names.asked("evil.test") == []


@ALL_MODES
def test_D_01_every_name_that_was_only_asked_for_is_one_row_with_its_count(row: Row):
    for _ in range(3):
        row.probe("query", name="counted.evil.test", kind=1)

    def rows() -> list[tuple[str, str, int]]:
        listed = row.world.call("GET", f"/egress/audit?resource_id={row.sandbox.id}").json()["events"]
        return [(event["host"], event["action"], event["count"]) for event in listed if event["protocol"] == "dns"]

    row.world.wait(lambda: sum(count for _, _, count in rows()) >= 3, "the row of the name")
    assert rows() == [("counted.evil.test", "stub", 3)]
    assert row.world.names.asked("evil.test") == []


def test_D_01_any_server_that_is_asked_gives_the_synthetic_answer(row: Row):
    answers = {row.probe("query", name="ok.test", kind=1, server=server)["address"] for server in ("8.8.8.8", "1.1.1.1", "203.0.113.9")}
    assert len(answers) == 1
    assert answers.pop().startswith("198.1")


@ALL_MODES
def test_D_07_an_answer_that_changes_is_never_followed_to_a_private_address(row: Row):
    public = ADDRESSES["reb.test"]
    row.world.names.set("reb.test", [public], ["127.0.0.1"], [public], ["10.0.0.5"], ["169.254.169.254"], [public], ["127.0.0.1"])
    row.may_dial("reb.test")
    # The upstream closes each time, so that every request needs a connection of its own.
    row.world.internet.answer("reb.test", lambda _: Response(headers={"Connection": "close"}))
    seen = row.run("for i in 1 2 3 4 5 6 7 8; do curl -s -m 10 -o /dev/null -w '%{http_code}\n' https://reb.test/; done").stdout.split()
    assert set(seen) == {"200", "403"}
    row.expect("reb.test", "allow", times=seen.count("200"))
    row.expect("reb.test", "reject", "addr-denied", times=seen.count("403"))


def test_D_07_of_a_mixed_answer_only_the_public_address_is_dialled(row: Row):
    row.world.names.set("reb.test", ["10.0.0.1", ADDRESSES["reb.test"], "::1", "127.0.0.1"])
    row.expect("reb.test", "allow")
    assert row.curl("https://reb.test/") == '{"ok": true}'
