"""`openmiosa admin-log`: acts on the server, by whom and when."""

from typing import Annotated

from cyclopts import Parameter

from . import output
from .context import client
from .options import DEFAULTS, Common, Since
from .times import since as moment

HEADS = ("time", "who", "action", "on", "outcome")


def admin_log(
    *,
    action: Annotated[str | None, Parameter(help="only this action, such as sandbox:sandbox:create")] = None,
    actor: Annotated[str | None, Parameter(help="only what this key did (id)")] = None,
    on: Annotated[str | None, Parameter(help="only what was done to this (id)")] = None,
    since: Since = None,
    limit: Annotated[int, Parameter(help="at most so many, the newest")] = 50,
    common: Common = DEFAULTS,
) -> None:
    """List who changed what on the server, oldest first; outbound calls of sandboxes are in `openmiosa audit`."""
    with client(common) as api:
        pages = api.admin_log.list(action=action, actor_id=actor, resource_id=on, since=moment(since), limit=min(limit, 1000))
        found = list(reversed(output.first(pages, limit)))
    cells = [(one.created_at, one.actor_id, one.action, one.resource_id, one.outcome) for one in found]
    output.rows(found, cells, HEADS, common, empty="Nothing was done.")
