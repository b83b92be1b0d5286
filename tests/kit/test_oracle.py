"""The oracle sees what it must, or every row would pass by blindness: each of its parts is shown to fail."""

import pytest

from .oracle import Row


@pytest.fixture
def blamed(world):
    """A row that will be found wrong."""
    made = Row(world)
    yield made
    made.close()


def test_G1_a_value_in_the_sandboxes_output_is_seen(blamed: Row):
    blamed.run(["printf", "%s", blamed.canaries["s1"][::-1]])
    with pytest.raises(AssertionError, match="G1 a canary as reversed"):
        blamed.judge()


def test_G2_a_value_at_another_recorder_is_seen(blamed: Row):
    blamed.expect("ok2.test", "allow")
    blamed.curl("-d", blamed.canaries["s1"], "https://ok2.test/")
    with pytest.raises(AssertionError, match=r"G2 a canary as raw in ok2\.test:443"):
        blamed.judge()


def test_G3_a_dial_that_the_row_may_not_make_is_seen(blamed: Row):
    blamed.expect("ok2.test", "allow", dialled=False)
    blamed.curl("https://ok2.test/")
    with pytest.raises(AssertionError, match=r"G3 11\.1\.0\.2:443 was dialled(?s:.*)G3 the name ok2\.test was asked for outside"):
        blamed.judge()


def test_G4_a_missing_and_an_unexpected_decision_are_seen(blamed: Row):
    blamed.expect("no.test", "reject", "host-denied")
    blamed.may_dial("ok2.test")
    blamed.curl("https://ok2.test/")
    with pytest.raises(AssertionError, match="G4 expected"):
        blamed.judge()


def test_G6_a_value_in_the_state_folder_is_seen(blamed: Row):
    leaked = blamed.world.system.places.log / "leak.log"
    leaked.write_text(blamed.canaries["s2"])
    try:
        with pytest.raises(AssertionError, match=r"G6 a canary as raw in log/leak\.log"):
            blamed.judge()
    finally:
        leaked.unlink()
