"""The first page of help, and the version: printed without loading what commands need, since people wait for it."""

import os
import sys
from collections.abc import Sequence

from .._version import __version__
from . import tree

WIDTH = 80
FIRST = """Try:
  openmiosa run --secret openai_key=@env:OPENAI_API_KEY \\
      --allow api.openai.com -- python agent.py"""
HELP = frozenset(("--help", "-h", "help"))


def answers(tokens: Sequence[str]) -> bool:
    """Whether the command line asks for no more than this; if so it has been answered."""
    if not tokens or (len(tokens) == 1 and tokens[0] in HELP):
        sys.stdout.write(page(_width()))
        return True
    if list(tokens) == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return True
    return False


def page(width: int = WIDTH) -> str:
    """The list of commands."""
    parts = [tree.PURPOSE, "", "Usage: openmiosa COMMAND [ARGUMENTS]", ""]
    column = 4 + max(map(len, tree.COMMANDS))
    for title, entries in tree.GROUPS.items():
        parts.append(f"{title}:")
        for name, (_, about) in entries.items():
            parts.append(_filled(about, width, f"  {name:<{column - 2}}", " " * column))
        parts.append("")
    help_of = "`openmiosa COMMAND --help` says more. Commands that answer understand --json and --context NAME."
    parts += [FIRST, "", _filled(help_of, width), "", _filled(tree.EPILOGUE, width), ""]
    return "\n".join(parts)


def _width() -> int:
    try:
        return min(WIDTH, os.get_terminal_size(sys.stdout.fileno()).columns or WIDTH)
    except (OSError, ValueError):
        return WIDTH


def _filled(text: str, width: int, head: str = "", indent: str = "") -> str:
    """What textwrap would do; loading it takes longer than the whole page."""
    lines, line = [], head
    for word in text.split():
        if line.strip() and len(line) + len(word) + (line != head) > width:
            lines.append(line.rstrip())
            line = indent
        line += word if line in (head, indent) else f" {word}"
    return "\n".join([*lines, line])
