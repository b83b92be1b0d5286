"""What lists and tails of egress events are asked with and answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Event = dict[str, Any]  # one outbound call in the API's form; `audit/shape.py` is the only maker


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; None is any. `host` is exact or `*.suffix`, `cursor` the id of the last event seen."""

    resource_id: str | None = None  # id or name
    resource_type: str | None = None
    host: str | None = None
    method: str | None = None
    action: str | None = None
    secret: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    external_user_id: str | None = None
    external_workspace_id: str | None = None
    cursor: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, oldest first; `next_cursor` is set when more follow."""

    events: list[Event]
    next_cursor: str | None
