"""`openmiosa audit`: every outbound call, past and live."""

import json
import sys
from typing import Annotated

from cyclopts import App, Parameter

from ..models import Event
from . import output
from .context import client
from .options import DEFAULTS, Common, Sandbox
from .screen import coloured

app = App(name="audit", help="See every outbound call, past and live.")

COLOURS = {"allow": "32", "reject": "31", "error": "33", "client_cancel": "33", "stub": "2"}


@app.command(name="list")
def list_events(
    sandbox: Sandbox = None,
    *,
    host: Annotated[str | None, Parameter(help="only this host; *.suffix works")] = None,
    action: Annotated[str | None, Parameter(help="allow, reject, error, client_cancel or stub")] = None,
    since: Annotated[str | None, Parameter(help="from this time on (RFC 3339)")] = None,
    limit: Annotated[int, Parameter(help="at most so many; without --since the newest")] = 50,
    common: Common = DEFAULTS,
) -> None:
    """List outbound calls, oldest first."""
    with client(common) as api:
        audit = api.audit if sandbox is None else api.sandboxes.get(sandbox).audit
        found = []
        for event in audit.list(host=host, action=action, since=since, limit=min(limit, 1000)):
            found.append(event)
            if len(found) >= limit:
                break
    cells = [(one.timestamp, one.action, one.status_code, one.method, f"{one.host}{one.path or ''}", one.swapped) for one in found]
    output.rows(found, cells, ("time", "action", "HTTP", "method", "host and path", "secrets"), common, empty="No calls recorded.")


@app.command
def tail(
    sandbox: Sandbox = None,
    *,
    after: Annotated[str | None, Parameter(help="start after the event with this id; default: now")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Print outbound calls as they happen, until Ctrl-C; it goes on by itself when the server comes back."""
    with client(common) as api:
        audit = api.audit if sandbox is None else api.sandboxes.get(sandbox).audit
        with audit.tail(after=after) as events:
            for event in events:
                print(json.dumps(output.as_json(event)) if common.json else line(event, colour=coloured(sys.stdout)), flush=True)


def line(event: Event, *, colour: bool) -> str:
    """The line of an event."""
    code = COLOURS.get(event.action) if colour else None
    return f"\x1b[{code}m{event}\x1b[0m" if code else str(event)
