"""Every outbound call of every sandbox: stored once, listed, followed live, exported."""

from .service import Audit
from .types import Event, EventFilter, EventPage

__all__ = ["Audit", "Event", "EventFilter", "EventPage"]
