"""Cases that nobody thought of, generated from the document."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ...kit.system import World
from ..objects import Objects, Wanted
from ..operations import OPERATIONS
from .run import SECONDS, run


@pytest.fixture
def subjects(wire: World) -> Iterator[Objects]:
    """Things of this test's own, since every operation is called, those that destroy among them."""
    made = Objects(wire, "generated")
    yield made
    for wanted in (Wanted("POST", "/egress/observe", body={}), Wanted("PATCH", "/egress/policies", body={"mode": "audit_only"})):
        made.send(wanted, made.admin)
    made.close(but="of-user-8")


@pytest.mark.timeout(int(SECONDS) + 200)
def test_no_generated_request_breaks_the_server_or_the_document(subjects: Objects, tmp_path: Path):
    report, said = run(subjects, tmp_path)
    cases = report["test_cases"]
    print(f"\nschemathesis: {cases['generated']} cases, {cases['unique_failures']} failures, {report['operations']['tested']} operations")
    assert (report["failures"], report["errors"], cases["unique_failures"]) == ([], [], 0), said[:20000]
    # Each operation has a share of the time; a machine that is busy with other things gets through fewer cases.
    assert report["operations"]["tested"] > len(OPERATIONS) / 2
    assert cases["generated"] > len(OPERATIONS)
    assert subjects.send(Wanted("GET", "/whoami"), subjects.admin).status_code == 200
