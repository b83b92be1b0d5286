"""`openmiosa sandbox env`: a sandbox's own variables. Its agent reads them, so secrets are set elsewhere."""

from typing import Annotated

from cyclopts import App, Parameter

from . import complete, output
from .context import client
from .options import DEFAULTS, Box, Common, UsageError, variables

app = App(name="env", help="Set variables of a sandbox; not for secrets, which `openmiosa secrets set` keeps out of it.")

HEADS = ("variable", "value")


@app.command(name="list")
def list_variables(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """List the variables that commands start with."""
    with client(common) as api:
        found = api.sandboxes.get(name).env.list()
    output.rows(found, [(one.key, one.value) for one in found], HEADS, common, empty="No variables of its own.")


@app.command(name="set")
def set_variables(name: Box, /, *pairs: Annotated[str, Parameter(help="NAME=VALUE")], common: Common = DEFAULTS) -> None:
    """Set variables; commands that are started from now on have them."""
    given = variables(list(pairs), "a variable")
    if not given:
        raise UsageError("say which: openmiosa sandbox env set my-agent LOG=debug")
    with client(common) as api:
        found = api.sandboxes.get(name).env.set(given)
    output.done(found, f"Set: {', '.join(given)}.", common)


@app.command
def rm(name: Box, /, *names: Annotated[str, Parameter(completer=complete.nothing)], common: Common = DEFAULTS) -> None:
    """Take variables back."""
    if not names:
        raise UsageError("name a variable")
    with client(common) as api:
        env = api.sandboxes.get(name).env
        for one in names:
            env.delete(one)
    output.done({"removed": list(names)}, f"Removed: {', '.join(names)}.", common)
