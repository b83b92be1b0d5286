"""Commands of the server's own machine: they come with openmiosa-server and are found by their entry points."""

import sys
from typing import Any

from . import tree

GROUP = "openmiosa.commands"
# Known even when the server's package is absent, so that the answer can say what to install.
EXPECTED = tuple(tree.HOST)
# `__complete` is how the shell's completion script asks.
CLIENT = frozenset({*tree.WORK, *tree.SETTLE, "__complete"})
USAGE = 2


def offers(name: str) -> bool:
    """Whether a command is one of these."""
    return name in EXPECTED or (name not in CLIENT and not name.startswith("-") and installed(name))


def find(name: str) -> Any:
    """The function of an installed command, None when there is none."""
    found = _entry_points(name)
    return next(iter(found)).load() if found else None


def installed(name: str) -> bool:
    """Whether a command of that name is there, without loading it."""
    return bool(_entry_points(name))


def _entry_points(name: str) -> Any:
    # Imported here: it is slow, and most commands are not of the host.
    from importlib import metadata

    return metadata.entry_points(group=GROUP, name=name)


def run(name: str, arguments: list[str]) -> int:
    """Run it; gives its exit code."""
    command = find(name)
    if command is None:
        print(f"`openmiosa {name}` needs the server, which is not installed here:\n\n    pip install openmiosa-server", file=sys.stderr)
        return USAGE
    try:
        return int(command(arguments) or 0)
    except KeyboardInterrupt:
        return 130


def shown() -> None:
    """Stands in the list of commands; `main` has run the real one before it would be reached."""
