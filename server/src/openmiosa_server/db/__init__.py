"""Tables, engine and migrations: the only place that knows which database it is."""

from .clock import now, optional_rfc3339, rfc3339
from .engine import Database
from .ids import new_id, ulid

__all__ = ["Database", "new_id", "now", "optional_rfc3339", "rfc3339", "ulid"]
