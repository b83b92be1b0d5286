"""Bytes become lines, whatever their cuts."""

from hypothesis import given
from hypothesis import strategies as st
from openmiosa_server.api.lines import LONGEST, Lines


def rebuilt(lines: Lines, chunks: list[bytes]) -> str:
    """What a client makes of the frames: a line's end after each whole one."""
    frames = [frame for chunk in chunks for frame in lines.feed("stdout", chunk)]
    frames += [frame for _, frame in lines.rest()]
    return "".join(frame["line"] + ("" if frame.get("partial") else "\n") for frame in frames)


@given(st.text(alphabet="ab\né€😀", max_size=200), st.integers(1, 7))
def test_any_cut_gives_the_same_text(text: str, size: int) -> None:
    content = text.encode()
    assert rebuilt(Lines(), [content[i : i + size] for i in range(0, len(content), size)]) == text


def test_a_long_line_comes_in_pieces_below_the_limit() -> None:
    text = "x" * (3 * LONGEST + 5) + "\nend"
    lines = Lines()
    assert rebuilt(lines, [text.encode()]) == text
    assert all(len(frame["line"]) <= LONGEST for frame in Lines().feed("stdout", text.encode()))


def test_bytes_that_are_no_utf_8_are_replaced_and_lose_nothing_else() -> None:
    assert rebuilt(Lines(), [b"a\xffb\n"]) == "a\ufffdb\n"
