"""What commands print: tables for people, JSON for programs. Nothing that a sandbox chose reaches the terminal unescaped."""

import dataclasses
import itertools
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO, TypeVar

from .._text import plain
from ..errors import MiosaError
from ..models import Record
from .options import Common

WIDTH = 80

T = TypeVar("T")


def rows(
    records: Sequence[Any], cells: Iterable[Sequence[object]], heads: Sequence[str], common: Common, *, empty: str = "Nothing there."
) -> None:
    """A table of records, one line each."""
    if common.json:
        emit([as_json(one) for one in records])
    elif not records:
        print(empty)
    else:
        table(cells, heads)


def record(fields: Mapping[str, Any] | Record, common: Common) -> None:
    """One record, one field a line."""
    known = as_json(fields)
    if common.json:
        emit(known)
        return
    if isinstance(fields, Record):
        # What this version does not know is for programs.
        known = {name: value for name, value in known.items() if name not in fields.unknown}
    shown = {name: value for name, value in known.items() if value not in (None, "", [], {})}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        head = f"{name.replace('_', ' '):<{width}}  "
        print(wrapped(cell(value), head))


def done(fields: Any, sentence: str, common: Common) -> None:
    """What was done, in a sentence, or as JSON."""
    if common.json:
        emit(as_json(fields))
    else:
        say(sentence)


def each(given: Iterable[str], act: Callable[[str], T], common: Common) -> list[T]:
    """Do it for each; when one of them fails, a person learns which were done before it."""
    names, results = list(given), []
    for number, name in enumerate(names):
        try:
            results.append(act(name))
        except MiosaError:
            if number and not common.json:
                print(wrapped(plain(f"Done before this one failed: {', '.join(names[:number])}.")), file=sys.stderr)
            raise
    return results


def say(sentence: str) -> None:
    """A sentence in lines that fit; names and commands are never broken."""
    print(wrapped(plain(sentence)))


def emit(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(value, indent=1, default=str))


def as_json(value: Any) -> Any:
    """A record as JSON, with the fields that this version does not know, without those that are empty secrets."""
    if isinstance(value, Record):
        named = {one.name: as_json(getattr(value, one.name)) for one in dataclasses.fields(value) if one.name != "unknown" and one.repr}
        return named | {name: as_json(one) for name, one in value.unknown.items() if name not in ("key", "token", "value")}
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def first(records: Iterable[T], limit: int) -> list[T]:
    """So many of what may be endless pages; no page is asked for that nobody sees."""
    return list(itertools.islice(records, limit))


def cell(value: object) -> str:
    """A value in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) or "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{cell(name)}={cell(one)}" for name, one in value.items() if one not in (None, "", [], {})) or "-"
    return plain(str(value)) or "-"


def ago(moment: datetime | None) -> str:
    """How long ago, as people say it."""
    if moment is None:
        return "-"
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name} ago"
    return f"{int(seconds // 86400)} d ago"


def table(cells: Iterable[Sequence[object]], heads: Sequence[str], file: TextIO | None = None) -> None:
    """A table for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawing = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    texts = [[Text(cell(value)) for value in line] for line in cells]
    for head in heads:
        # A name that does not fit goes on in the next line: half an id is no id. An id itself is for copying, so others give way.
        drawing.add_column(Text(head), overflow="fold", no_wrap=head == "id")
    for line in texts:
        drawing.add_row(*line)
    console = Console(file=file or sys.stdout, highlight=False)
    with console.capture() as drawn:
        console.print(drawing)
    # Printed by us: the library would end the process with 1 when the reader has gone.
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()), file=file)


def wrapped(text: str, head: str = "") -> str:
    """Text in lines that fit; names and commands are never broken."""
    indent = " " * len(head)
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
