"""`openmiosa whoami`: the key's owner and rights."""

from . import output
from .context import client
from .options import DEFAULTS, Common


def whoami(*, common: Common = DEFAULTS) -> None:
    """Show whom the server takes you for, and what the key may do."""
    with client(common) as api:
        known = api.whoami()
        fields = {**output.as_json(known), "server": api.base_url}
    output.record(fields, common)
