"""Options that every command has, or many."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


class UsageError(Exception):
    """The command line cannot be meant as it stands; the message says what to write instead."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """What every command understands."""

    json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False, help="print JSON instead of a table")] = False
    context: Annotated[str | None, Parameter(name="--context", help="which server; default: the environment, else the current one")] = None


DEFAULTS = Common()

Sandbox = Annotated[str | None, Parameter(name=("--sandbox", "-s"), help="id or name of a sandbox")]
Tenant = Annotated[bool, Parameter(name="--tenant", negative=(), help="not one sandbox: the default of all")]
ExposeAs = Annotated[str | None, Parameter(name=("--expose-as-env", "--as"), help="the variable that holds the placeholder")]
