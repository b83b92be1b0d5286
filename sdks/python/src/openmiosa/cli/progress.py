"""How far a copy is, on a terminal; nothing elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator

# What is done within this time needs no bar.
PATIENCE_BYTES = 4 * 1024 * 1024


@contextlib.contextmanager
def bar(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Gives a function that is told of every further piece."""
    if not sys.stderr.isatty() or (total is not None and total < PATIENCE_BYTES):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda size: progress.advance(task, size)
