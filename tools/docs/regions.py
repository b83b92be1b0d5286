"""Parts of programs, between `[name]` and `[/name]` in comments, and the blocks of pages that they fill.

A page says `<!-- region examples/walkthrough.py step-3 -->` on the line before a block; what stands in the block is the region.
"""

import re
import textwrap
from pathlib import Path

_MARK = re.compile(r"^\s*(?:#|//)\s*\[(/?)([a-z0-9-]+)\]\s*$")
_BLOCK = re.compile(r"(<!-- region (?P<file>\S+) (?P<names>[a-z0-9 -]+) -->\n```(?P<kind>\w+)\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)


class NoRegion(Exception):
    """A page asks for a region that its program does not have."""


def of(text: str) -> dict[str, str]:
    """The regions of a program. One that is opened again goes on where it stopped; marks of others inside are left out."""
    found: dict[str, list[list[str]]] = {}
    open_: list[str] = []
    for line in text.splitlines():
        if mark := _MARK.match(line):
            if mark[1]:
                open_.remove(mark[2])
            else:
                open_.append(mark[2])
                found.setdefault(mark[2], []).append([])
            continue
        for name in open_:
            found[name][-1].append(line)
    if open_:
        raise NoRegion(f"{', '.join(open_)} is opened and not closed")
    return {name: "\n".join(_piece(piece) for piece in pieces) for name, pieces in found.items()}


def _piece(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n") + "\n"


def filled(page: str, root: Path) -> str:
    """The page with its marked blocks as the programs have them now."""

    def fill(block: re.Match[str]) -> str:
        regions = of((root / block["file"]).read_text())
        try:
            inside = "\n".join(regions[name] for name in block["names"].split())
        except KeyError as missing:
            raise NoRegion(f"{block['file']} has no region {missing}") from None
        return f"{block[1]}{inside.expandtabs(4)}{block[6]}"

    return _BLOCK.sub(fill, page)
