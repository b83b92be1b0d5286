"""`openmiosa sandbox snapshots`: a file system as it was."""

from typing import Annotated

from cyclopts import App, Parameter

from . import gather, output
from .context import client
from .options import DEFAULTS, Box, Common, UsageError

app = App(name="snapshots", help="Keep the file system as it is, and start new sandboxes from it.")

Snapshot = Annotated[str, Parameter(help="id of a snapshot")]


@app.command
def create(name: Box, comment: Annotated[str | None, Parameter(help="what it is for")] = None, /, *, common: Common = DEFAULTS) -> None:
    """Keep the files as they are now."""
    with client(common) as api:
        made = api.sandboxes.get(name).snapshots.create(comment)
    output.done(made, f"{made.id} is kept.", common)


@app.command(name="list")
def list_snapshots(name: Box, /, *, common: Common = DEFAULTS) -> None:
    """List what is kept."""
    with client(common) as api:
        found = api.sandboxes.get(name).snapshots.list()
    cells = [
        (
            one.id,
            one.state,
            gather.readable(one.size_bytes) if one.size_bytes is not None else None,
            output.ago(one.created_at),
            one.comment,
        )
        for one in found
    ]
    output.rows(found, cells, ("id", "state", "size", "made", "comment"), common, empty="No snapshots.")


@app.command
def restore(name: Box, snapshot: Snapshot, /, *, common: Common = DEFAULTS) -> None:
    """Make a new sandbox with these files."""
    with client(common) as api:
        made = api.sandboxes.get(name).snapshots.restore(snapshot)
    output.done(made.info, f"{made.name or made.id} is {made.state}, with the files of {snapshot} ({made.id}).", common)


@app.command
def rm(name: Box, /, *snapshots: Snapshot, common: Common = DEFAULTS) -> None:
    """Forget snapshots."""
    if not snapshots:
        raise UsageError("name a snapshot")
    with client(common) as api:
        output.each(snapshots, api.sandboxes.get(name).snapshots.delete, common)
    output.done({"deleted": list(snapshots)}, f"Forgotten: {', '.join(snapshots)}.", common)
