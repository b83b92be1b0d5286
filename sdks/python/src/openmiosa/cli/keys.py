"""`openmiosa keys`: keys of this API."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from . import output
from .context import client
from .options import DEFAULTS, Common

app = App(name="keys", help="Manage keys of this API.")


@app.command
def create(
    name: str,
    /,
    *,
    scope: Annotated[list[str] | None, Parameter(negative=(), help="such as sandboxes:read (repeat); default: those of your key")] = None,
    expires_at: Annotated[str | None, Parameter(help="when it ends (RFC 3339)")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Make a key; it is printed once, and only its hash is kept."""
    with client(common) as api:
        made = api.api_keys.create(name, scopes=scope, expires_at=expires_at)
    if common.json:
        output.emit({**output.as_json(made), "token": made.token})
        return
    print("This key is shown once. Keep it where secrets are kept:", file=sys.stderr)
    print(made.token)


@app.command(name="list")
def list_keys(*, common: Common = DEFAULTS) -> None:
    """List keys, without what opens anything."""
    with client(common) as api:
        found = api.api_keys.list().all()
    cells = [(one.id, one.name, one.prefix, one.scopes, output.ago(one.last_used_at), one.expires_at) for one in found]
    output.rows(found, cells, ("id", "name", "starts", "scopes", "used", "expires"), common)


@app.command
def rm(key: Annotated[str, Parameter(help="id of a key")], /, *, common: Common = DEFAULTS) -> None:
    """End a key at once."""
    with client(common) as api:
        api.api_keys.delete(key)
    output.done({"deleted": key}, f"{key} opens nothing any more.", common)
