"""How `openmiosa run` is told of secrets: NAME=@env:VARIABLE and its kin, never a value."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import values
from .options import UsageError

FORMS = (
    "NAME=@env:VARIABLE, NAME=@file:PATH, NAME=@- (standard input), NAME=@ask, or NAME=@stored for one that the server has; "
    "each may end in :HOST,HOST for hosts that the server does not know"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Given:
    """A secret of the command line: where its value is, which variable holds its placeholder, where it may go."""

    name: str
    kind: str
    source: str
    variable: str
    hosts: tuple[str, ...] = ()
    value: str | None = field(default=None, repr=False)


def secrets(specs: Sequence[str], hosts: Sequence[str], variables: Sequence[str]) -> list[Given]:
    """What --secret, --secret-host and --secret-as say together."""
    more = _pairs(hosts, "--secret-host")
    named = _pairs(variables, "--secret-as")
    read = [_one(spec, more, named) for spec in specs]
    for option, pairs in (("--secret-host", more), ("--secret-as", named)):
        if left := set(pairs) - {one.name for one in read}:
            raise UsageError(f"{option} speaks of {', '.join(sorted(left))}, and no --secret has that name")
    if sum(one.kind == "-" for one in read) > 1:
        raise UsageError("standard input can hold one value only")
    return read


def _one(spec: str, hosts: dict[str, str], variables: dict[str, str]) -> Given:
    name, equals, rest = spec.partition("=")
    if not equals or not name:
        raise UsageError(f"--secret takes {FORMS}")
    if not rest.startswith("@"):
        # What stands there may be a value: it is not repeated.
        raise UsageError(f"--secret {name}=…: {values.NOT_AN_ARGUMENT} Here that is {FORMS}")
    kind, source, tail = _split(name, rest[1:])
    chosen = variables.get(name) or (source if kind == "env" else re.sub(r"\W", "_", name).upper())
    if not _VARIABLE.fullmatch(chosen):
        raise UsageError(f"{chosen!r} cannot name a variable: say which with --secret-as {name}=VARIABLE")
    listed = [*_hosts(tail), *_hosts(hosts.get(name, ""))]
    if kind == "stored" and listed:
        raise UsageError(f"{name} is on the server already, and so are its hosts: `openmiosa secrets show {name}`")
    return Given(name, kind, source, chosen, tuple(dict.fromkeys(listed)), _value(name, kind, source))


def _split(name: str, text: str) -> tuple[str, str, str]:
    """Kind, source and hosts."""
    kind, _, rest = text.partition(":")
    if kind in ("-", "ask", "stored"):
        return kind, "", rest
    if kind == "env" and rest:
        source, _, tail = rest.partition(":")
        return kind, source, tail
    if kind == "file" and rest:
        # A path may have colons; one that is there as it stands has no hosts behind it.
        source, colon, tail = rest.rpartition(":")
        return (kind, rest, "") if not colon or Path(rest).exists() else (kind, source, tail)
    raise UsageError(f"--secret {name}=@{kind[:20]}: use {FORMS}")


def _value(name: str, kind: str, source: str) -> str | None:
    if kind == "stored":
        return None
    standard_input = ("-",) if kind == "-" else ()
    if standard_input and sys.stdin.isatty():
        kind, standard_input = "ask", ()
    return values.value(
        f"Value of {name}", standard_input, None, source if kind == "env" else None, Path(source).expanduser() if kind == "file" else None
    )


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise UsageError(f"{option} takes NAME=…, with the name of a --secret")
    return dict(text.split("=", 1) for text in texts)


def _hosts(text: str) -> list[str]:
    return [host for host in (part.strip() for part in text.split(",")) if host]
