"""Writes the synchronous client from the asynchronous one: `python tools/async_to_sync.py` (or `--check`, which only compares).

It works on tokens, so comments and layout stay. What is replaced is listed here and nowhere else.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "sdks/python/src/openmiosa"
SOURCE, TARGET = ROOT / "_async", ROOT / "_sync"
HEADER = "# Generated from _async/{name} by tools/async_to_sync.py. Edit that file, then run that program.\n"

# Names whose synchronous twin is not the name without "Async".
NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "aclosing": "closing",
    "aiter": "iter",
    "aiter_bytes": "iter_bytes",
    "aread": "read",
    "anyio": "time",
    "asynccontextmanager": "contextmanager",
}
# Words that vanish together with the space behind them.
DROPPED = {"async", "await"}
# In text, where words are not tokens.
PROSE = (
    (re.compile(r"\bAsync(?=[A-Z])"), ""),
    (re.compile(r"\b(?:async|await) (?=with|for|sandbox|client|\w+\()"), ""),
    (re.compile("asynchronous"), "synchronous"),
)
INTRODUCTION = '"""The synchronous client, generated from `_async` by `tools/async_to_sync.py`."""\n'


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which differ."""
    wanted = {path.name: convert(path.read_text(), path.name) for path in sorted(SOURCE.glob("*.py"))}
    present = {path.name: path.read_text() for path in TARGET.glob("*.py")}
    if "--check" in arguments:
        stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
        if stale:
            print("stale: " + ", ".join(stale) + "; run tools/async_to_sync.py", file=sys.stderr)
        return 1 if stale else 0
    TARGET.mkdir(exist_ok=True)
    for name in present.keys() - wanted.keys():
        (TARGET / name).unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text)
    return 0


def convert(source: str, name: str) -> str:
    """The synchronous form of one file."""
    if name == "__init__.py":
        return INTRODUCTION
    text = "".join(_rewritten(source))
    return HEADER.format(name=name) + _one_import_of_time(text)


def _rewritten(source: str) -> Iterator[str]:
    """The tokens of the file with the spaces between them, replaced or dropped."""
    lines = source.splitlines(keepends=True)
    row, column = 1, 0
    dropped = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        gap = _between(lines, (row, column), token.start)
        row, column = token.end
        yield "" if dropped else gap
        dropped = token.type == tokenize.NAME and token.string in DROPPED
        yield "" if dropped else _replaced(token)
        if token.type in (tokenize.NEWLINE, tokenize.NL):
            row, column = token.end[0] + (0 if token.end[1] == 0 else 1), 0


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The spaces between two tokens; line ends are tokens, but continued lines are not."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    middle = lines[start[0] : end[0] - 1]
    return lines[start[0] - 1][start[1] :] + "".join(middle) + lines[end[0] - 1][: end[1]]


def _replaced(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return NAMES.get(token.string, re.sub(r"^Async(?=[A-Z])", "", token.string))
    if token.type in (tokenize.STRING, tokenize.COMMENT) or tokenize.tok_name[token.type].startswith("FSTRING"):
        text = token.string
        for pattern, replacement in PROSE:
            text = pattern.sub(replacement, text)
        return text
    return token.string


def _one_import_of_time(text: str) -> str:
    """`anyio` became `time`, which the file may import already."""
    if text.count("import time\n") < 2:
        return text
    head, _, rest = text.partition("import time\n")
    return head + "import time\n" + re.sub(r"^import time\n\n?", "", rest, flags=re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
