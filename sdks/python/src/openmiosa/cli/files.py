"""`openmiosa sandbox files`: what is in a sandbox; `openmiosa cp` copies."""

import json
from typing import Annotated

from cyclopts import App, Parameter

from ..models import FileTree
from . import output
from .context import client
from .options import DEFAULTS, Box, Common, UsageError

app = App(name="files", help="List, make, remove and watch files; `openmiosa cp` copies them.")

WORKSPACE = "/workspace"
Place = Annotated[str, Parameter(help="a path inside")]


@app.command(name="list")
def list_files(name: Box, path: Place = WORKSPACE, /, *, common: Common = DEFAULTS) -> None:
    """List a folder."""
    with client(common) as api:
        found = api.sandboxes.get(name).files.list(path)
    cells = [(one.mode, "folder" if one.is_dir else one.size, one.modified_at, one.name or one.path) for one in found]
    output.rows(found, cells, ("mode", "size", "changed", "name"), common, empty="Nothing there.")


@app.command
def tree(
    name: Box,
    path: Place = WORKSPACE,
    /,
    *,
    depth: Annotated[int, Parameter(help="so many levels of folders")] = 3,
    common: Common = DEFAULTS,
) -> None:
    """Show a folder with its folders."""
    with client(common) as api:
        found = api.sandboxes.get(name).files.tree(path, depth=depth)
    if common.json:
        output.emit(output.as_json(found))
        return
    _draw(found, "")


@app.command
def show(name: Box, path: Place, /, *, common: Common = DEFAULTS) -> None:
    """Show what is known of a file or folder."""
    with client(common) as api:
        found = api.sandboxes.get(name).files.stat(path)
    output.record(found, common)


@app.command
def mkdir(name: Box, /, *paths: Place, common: Common = DEFAULTS) -> None:
    """Make folders, and those above them."""
    if not paths:
        raise UsageError("name a folder to make")
    with client(common) as api:
        files = api.sandboxes.get(name).files
        for path in paths:
            files.mkdir(path)
    output.done({"made": list(paths)}, f"Made: {', '.join(paths)}.", common)


@app.command
def rm(
    name: Box,
    /,
    *paths: Place,
    recursive: Annotated[bool, Parameter(name=("--recursive", "-r"), negative=(), help="folders with all that is in them")] = False,
    common: Common = DEFAULTS,
) -> None:
    """Remove files."""
    if not paths:
        raise UsageError("name a file to remove")
    with client(common) as api:
        files = api.sandboxes.get(name).files
        output.each(paths, lambda path: files.delete(path, recursive=recursive), common)
    output.done({"removed": list(paths)}, f"Removed: {', '.join(paths)}.", common)


@app.command
def watch(name: Box, path: Place = WORKSPACE, /, *, common: Common = DEFAULTS) -> None:
    """Print changes of files as they happen, until Ctrl-C."""
    with client(common) as api:
        for change in api.sandboxes.get(name).files.watch(path):
            if common.json:
                print(json.dumps(output.as_json(change)), flush=True)
                continue
            moved = f" (was {output.cell(change.old_path)})" if change.old_path else ""
            print(f"{output.cell(change.event):<9} {output.cell(change.path)}{moved}", flush=True)


def _draw(node: FileTree, indent: str) -> None:
    print(f"{indent}{output.cell(node.name or node.path)}{'/' if node.is_dir else ''}")
    for child in node.children:
        _draw(child, indent + "  ")
