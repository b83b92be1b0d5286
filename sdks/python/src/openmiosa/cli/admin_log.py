"""`openmiosa admin-log`: acts on the server, by whom and when."""

import contextlib
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..errors import MiosaError
from . import output
from .context import client
from .options import DEFAULTS, Common, Since
from .times import since as moment

if TYPE_CHECKING:
    from .._sync.client import Miosa

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
        names = {} if common.json else _names(api)
    cells = [(one.created_at, names.get(one.actor_id or "", one.actor_id), one.action, one.resource_id, one.outcome) for one in found]
    output.rows(found, cells, HEADS, common, empty="Nothing was done.")


def _names(api: "Miosa") -> dict[str, str]:
    """What keys are called, for those who may know it."""
    with contextlib.suppress(MiosaError):
        return {key.id: key.name for key in api.api_keys.list() if key.name}
    return {}
