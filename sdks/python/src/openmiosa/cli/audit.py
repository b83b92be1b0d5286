"""`openmiosa audit`: every outbound call, past and live."""

import json
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from ..models import Event
from . import complete, output
from .context import client
from .options import DEFAULTS, Common, Since
from .screen import coloured
from .times import since as moment

if TYPE_CHECKING:
    from .._sync.audit import Audit
    from .._sync.client import Miosa

app = App(name="audit", help="See every outbound call, past and live.")

COLOURS = {"allow": "32", "reject": "31", "error": "33", "client_cancel": "33", "stub": "2"}

Of = Annotated[str | None, Parameter(completer=complete.sandboxes, help="id or name of a sandbox; default: all of them")]
Host = Annotated[str | None, Parameter(help="only this host; *.suffix works")]
Action = Annotated[
    Literal["allow", "reject", "error", "client_cancel", "stub"] | None, Parameter(show_choices=True, help="only calls that ended so")
]
Secret = Annotated[str | None, Parameter(completer=complete.secrets, help="only calls that carried this secret")]
Until = Annotated[str | None, Parameter(help="up to then")]


@app.command(name="list")
def list_events(
    sandbox: Of = None,
    *,
    host: Host = None,
    action: Action = None,
    secret: Secret = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, Parameter(help="at most so many; without --since the newest")] = 50,
    common: Common = DEFAULTS,
) -> None:
    """List outbound calls, oldest first."""
    with client(common) as api:
        window = {"since": moment(since), "until": moment(until)}
        pages = _audit(api, sandbox).list(host=host, action=action, secret=secret, limit=min(limit, 1000), **window)  # type: ignore[arg-type]
        found = output.first(pages, limit)
    cells = [(one.timestamp, one.action, one.status_code, one.method, f"{one.host}{one.path or ''}", one.swapped) for one in found]
    output.rows(found, cells, ("time", "action", "HTTP", "method", "host and path", "secrets"), common, empty="No calls recorded.")


@app.command
def show(event: Annotated[str, Parameter(help="id of an event, as `list --json` has it")], /, *, common: Common = DEFAULTS) -> None:
    """Show all that was recorded of one call."""
    with client(common) as api:
        found = api.audit.get(event)
    output.record(found, common)


@app.command
def tail(
    sandbox: Of = None,
    *,
    host: Host = None,
    action: Action = None,
    secret: Secret = None,
    since: Since = None,
    after: Annotated[str | None, Parameter(help="start after the event with this id; default: now")] = None,
    common: Common = DEFAULTS,
) -> None:
    """Print outbound calls as they happen, until Ctrl-C; it goes on by itself when the server comes back."""
    colour = coloured(sys.stdout)
    with client(common) as api:
        for event in _events(_audit(api, sandbox), since, after):
            if _wanted(event, host, action, secret):
                print(json.dumps(output.as_json(event)) if common.json else line(event, colour=colour), flush=True)


@app.command
def export(
    sandbox: Of = None,
    *,
    to: Annotated[str, Parameter(name=("--to", "-o"), help="the file to write; `-` is standard output", allow_leading_hyphen=True)] = "-",
    format: Annotated[Literal["csv", "jsonl"] | None, Parameter(help="default: by the file's name, else csv")] = None,
    host: Host = None,
    action: Action = None,
    secret: Secret = None,
    since: Since = None,
    until: Until = None,
    common: Common = DEFAULTS,
) -> None:
    """Write all calls that match, as CSV or JSON lines."""
    form = format or ("jsonl" if common.json or to.endswith((".jsonl", ".ndjson", ".json")) else "csv")
    with client(common) as api:
        window = {"since": moment(since), "until": moment(until)}
        target = None if to == "-" else to
        said = _audit(api, sandbox).export(form, to=target, host=host, action=action, secret=secret, **window)  # type: ignore[arg-type]
    if target is None:
        sys.stdout.buffer.write(said)
    else:
        output.done({"file": to, "format": form}, f"Written to {to}.", common)


def line(event: Event, *, colour: bool) -> str:
    """The line of an event."""
    code = COLOURS.get(event.action) if colour else None
    return f"\x1b[{code}m{event}\x1b[0m" if code else str(event)


def _audit(api: "Miosa", sandbox: str | None) -> "Audit":
    return api.audit if sandbox is None else api.sandboxes.get(sandbox).audit


def _events(audit: "Audit", since: str | None, after: str | None) -> Iterator[Event]:
    """What happened since a moment, then what happens; the tail is placed first, so nothing falls between."""
    start = moment(since)
    with audit.tail(after=after) as events:
        seen = set()
        if start is not None:
            for event in audit.list(since=start, limit=1000):
                seen.add(event.id)
                yield event
        for event in events:
            if event.id not in seen:
                yield event


def _wanted(event: Event, host: str | None, action: str | None, secret: str | None) -> bool:
    if host is not None and not fnmatchcase(event.host, host.lower()):
        return False
    if action is not None and event.action != action:
        return False
    return secret is None or secret in event.swapped
