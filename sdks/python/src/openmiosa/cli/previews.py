"""`openmiosa sandbox previews`: a port inside, reachable from outside."""

from typing import Annotated

from cyclopts import App, Parameter

from . import output
from .context import client
from .options import DEFAULTS, Box, Common, UsageError

app = App(name="previews", help="Reach a port of a sandbox.")


@app.command(name="open")
def open_preview(name: Box, port: int, /, *, common: Common = DEFAULTS) -> None:
    """Make a port of the sandbox reachable on the server's machine."""
    with client(common) as api:
        made = api.sandboxes.get(name).previews.open(port)
    output.done(made, f"Port {port} of {name} answers at {made.url} ({made.id}).", common)


@app.command(name="list")
def list_previews(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """List the ports that are open."""
    with client(common) as api:
        found = api.sandboxes.get(name).previews.list()
    cells = [(one.port, one.url, one.state, output.ago(one.created_at), one.id) for one in found]
    output.rows(found, cells, ("port", "url", "state", "opened", "id"), common, empty="No port is open.")


@app.command
def close(name: Box, /, *previews: Annotated[str, Parameter(help="ids of previews")], common: Common = DEFAULTS) -> None:
    """Close ports."""
    if not previews:
        raise UsageError("name a preview, by id")
    with client(common) as api:
        sandbox = api.sandboxes.get(name)
        for one in previews:
            sandbox.previews.close(one)
    output.done({"closed": list(previews)}, f"Closed: {', '.join(previews)}.", common)
