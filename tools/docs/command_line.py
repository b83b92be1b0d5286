"""The page of the command line: what every command prints with --help."""

import contextlib
import importlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

HEAD = """# Command line

`openmiosa` comes with the client (`pip install openmiosa`); the commands that start the system come with `openmiosa-server`.
This page is made of what `--help` prints.
"""
# Where defaults and widths would differ from machine to machine.
_FIXED = {"COLUMNS": "100", "OPENMIOSA_STATE": "/var/lib/openmiosa", "NO_COLOR": "1", "TERM": "dumb", "HOME": "/home/you"}


def page(_: Path) -> str:
    """The whole page."""
    epilogue = importlib.import_module("openmiosa.cli.app").EPILOGUE
    said = [f"{HEAD}\n{epilogue}\n"]
    with mock.patch.dict(os.environ, _FIXED):
        for words in commands():
            level = "##" if len(words) == 1 else "###"
            said.append(f"{level} openmiosa {' '.join(words)}\n\n```text\n{help_of(words, epilogue)}\n```\n")
    return "\n".join(said)


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and every group, in the order in which `openmiosa --help` has them."""
    app = importlib.import_module("openmiosa.cli.app").app
    for name in app:
        if name.startswith("-"):
            continue
        yield (name,)
        if _is_group(app[name]):
            yield from ((name, inner) for inner in app[name] if not inner.startswith("-"))


def _is_group(command: object) -> bool:
    return getattr(command, "default_command", None) is None


def help_of(words: tuple[str, ...], epilogue: str) -> str:
    """What `openmiosa WORDS --help` prints, without what all of them end with."""
    printed = io.StringIO()
    main = importlib.import_module("openmiosa.cli").main
    with contextlib.redirect_stdout(printed), mock.patch("sys.argv", ["openmiosa", *words, "--help"]), contextlib.suppress(SystemExit):
        main()
    own = printed.getvalue().partition(epilogue[:25])[0]
    return "\n".join(line.rstrip() for line in own.strip().splitlines())
