"""Reads the fenced blocks of a page."""

import re
from dataclasses import dataclass
from pathlib import Path

# What is done with a block of each kind; a block of another kind, or of none, fails the page.
RUN = ("sh", "python", "typescript", "go")
CHECKED = ("output", "toml", "json", "ini")
SHOWN = ("text",)
KINDS = (*RUN, *CHECKED, *SHOWN)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\S*)(?P<rest>.*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its kind, its text, and the line of the page on which the text begins."""

    kind: str
    text: str
    line: int
    page: Path

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line} ({self.kind or 'untagged'})"


def of(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    found: list[Block] = []
    opened: tuple[str, int, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, lines = (fence["kind"], number + 1, fence["indent"]), []
        elif fence and not fence["kind"]:
            found.append(Block(opened[0], "".join(f"{text}\n" for text in lines), opened[1], page))
            opened = None
        else:
            lines.append(line.removeprefix(opened[2]))
    if opened is not None:
        raise ValueError(f"{page.name}:{opened[1]}: the block has no end")
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed; `…` stands for anything within a line, alone on a line for any lines."""
    pattern = ""
    for line in shown.rstrip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n"
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())) is not None
