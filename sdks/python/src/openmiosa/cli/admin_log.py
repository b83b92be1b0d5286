"""`openmiosa admin-log`: acts on the server, by whom and when."""

from typing import Annotated, Any

from cyclopts import Parameter

from . import output
from .context import client
from .options import DEFAULTS, Common
from .times import since as moment

HEADS = ("time", "who", "action", "on", "outcome")


def admin_log(
    *,
    action: Annotated[str | None, Parameter(help="only this action, such as secrets:set")] = None,
    actor: Annotated[str | None, Parameter(help="only what this key did (id)")] = None,
    on: Annotated[str | None, Parameter(help="only what was done to this (id)")] = None,
    since: Annotated[str | None, Parameter(help="from then on: 30m, 24h, 7d, or a time (RFC 3339)")] = None,
    limit: Annotated[int, Parameter(help="at most so many, the newest")] = 50,
    common: Common = DEFAULTS,
) -> None:
    """List who changed what on the server, oldest first."""
    params: dict[str, Any] = {"action": action, "actor_id": actor, "resource_id": on, "since": moment(since), "limit": min(limit, 1000)}
    with client(common) as api:
        reply = api.request("GET", "audit-log", params=params)
    found = list(reversed(reply["data"][:limit]))
    cells = [(one.get("created_at"), one.get("actor_id"), one.get("action"), one.get("resource_id"), one.get("outcome")) for one in found]
    output.rows(found, cells, HEADS, common, empty="Nothing was changed.")
