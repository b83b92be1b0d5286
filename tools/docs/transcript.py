"""What the tutorial shows as output, held against what the walkthrough printed."""

import re
from collections.abc import Iterable
from pathlib import Path

_OUTPUT = re.compile(r"^```output\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def not_printed(page: Path, printed: Iterable[str]) -> list[str]:
    """The lines of the page's outputs that no printed line is like; `…` stands for anything."""
    lines = {line.strip() for line in printed}
    shown = [line.strip() for block in _OUTPUT.findall(page.read_text()) for line in block.splitlines() if line.strip()]
    return [line for line in shown if not any(_like(line).fullmatch(one) for one in lines)]


def _like(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in line.split("…")))
