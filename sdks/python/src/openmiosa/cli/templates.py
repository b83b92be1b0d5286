"""`openmiosa templates`: what sandboxes start from."""

from . import output
from .context import client
from .options import DEFAULTS, Common


def templates(*, common: Common = DEFAULTS) -> None:
    """List what sandboxes can be made from; `openmiosa template build` makes one on the server's machine."""
    with client(common) as api:
        found = api.templates()
    cells = [(one.id, one.unknown.get("python"), one.packages or "-", output.ago(one.created_at)) for one in found]
    output.rows(found, cells, ("template", "Python", "packages", "made"), common)
