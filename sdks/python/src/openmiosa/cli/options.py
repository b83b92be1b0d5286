"""Options that every command has, or many."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from . import complete


class UsageError(Exception):
    """The command line cannot be meant as it stands; the message says what to write instead."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """What every command understands."""

    json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False, help="print JSON instead of a table")] = False
    context: Annotated[
        str | None,
        Parameter(name="--context", completer=complete.contexts, help="which server; default: the environment, else the current one"),
    ] = None


DEFAULTS = Common()

Box = Annotated[str, Parameter(completer=complete.sandboxes, help="id or name of a sandbox")]
Boxes = Annotated[str, Parameter(completer=complete.sandboxes, help="ids or names of sandboxes")]
Secret = Annotated[str, Parameter(completer=complete.secrets, help="id or name of a secret")]
Sandbox = Annotated[str | None, Parameter(name=("--sandbox", "-s"), completer=complete.sandboxes, help="id or name of a sandbox")]
Tenant = Annotated[bool, Parameter(name="--tenant", negative=(), help="not one sandbox: the default of all")]
ExposeAs = Annotated[str | None, Parameter(name=("--expose-as-env", "--as"), help="the variable that holds the placeholder")]
Template = Annotated[str | None, Parameter(completer=complete.templates, help="what its file system starts from")]
Variables = Annotated[list[str] | None, Parameter(name=("--env", "-e"), negative=(), help="NAME=VALUE (repeat); not for secrets")]
Folder = Annotated[str | None, Parameter(name=("--cwd", "-C"), help="the folder to run in")]
Since = Annotated[str | None, Parameter(help="from then on: 30m, 24h, 7d (ago), or a time (RFC 3339)")]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=(), help="do not ask")]


Tags = Annotated[list[str] | None, Parameter(negative=(), help="a tag (repeat)")]


def variables(given: list[str] | None, what: str = "--env") -> dict[str, str] | None:
    """NAME=VALUE pairs as a mapping."""
    if given is None:
        return None
    for one in given:
        if "=" not in one:
            raise UsageError(f"{what} takes NAME=VALUE; secrets are set with `openmiosa secrets set`")
    return dict(one.split("=", 1) for one in given)
