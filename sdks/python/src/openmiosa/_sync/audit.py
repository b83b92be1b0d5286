# Generated from _async/audit.py by tools/async_to_sync.py. Edit that file, then run that program.
"""The record of outbound calls: listed, exported, or live."""

import os
from datetime import datetime

from .. import _envelope, _local, _wire
from ..models import Event
from .pages import Pages
from .tail import Tail
from .transport import Transport


class Audit:
    """The events of one sandbox, or without one those of the tenant."""

    def __init__(self, transport: Transport, sandbox_id: str | None = None) -> None:
        self._transport = transport
        self._sandbox = sandbox_id
        self._resource = _wire.given(resource_id=sandbox_id, resource_type="sandbox" if sandbox_id else None)

    def list(
        self,
        *,
        host: str | None = None,
        method: str | None = None,
        action: str | None = None,
        secret: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Pages[Event]:
        """Events, oldest first; without `since` the newest page. `limit` is the size of a page, `cursor` an event's id."""
        owners = {"external_user_id": external_user_id, "external_workspace_id": external_workspace_id}
        window = {"since": since, "until": until, "limit": limit, "cursor": cursor}
        params = {**self._resource, "host": host, "method": method, "action": action, "secret": secret, **owners, **window}
        return Pages(self._transport, "egress/audit", params, Event.from_json)

    def get(self, event_id: str) -> Event:
        """One event."""
        return Event.from_json(_envelope.one(self._transport.request("GET", _wire.path("egress", "audit", event_id)), "event"))

    def tail(self, *, after: str | None = None, reconnect_timeout: float = 300.0) -> Tail:
        """Events as they happen, for ever: from the first step of the iteration on, or from after the event with id `after`."""
        return Tail(self._transport, self._sandbox, after, reconnect_timeout)

    def export(
        self,
        format: str = "csv",
        *,
        to: str | os.PathLike[str] | None = None,
        host: str | None = None,
        method: str | None = None,
        action: str | None = None,
        secret: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        external_user_id: str | None = None,
        external_workspace_id: str | None = None,
    ) -> bytes:
        """All events that match, as `csv` or `jsonl`; with `to` they are written to that file instead and nothing is returned."""
        owners = {"external_user_id": external_user_id, "external_workspace_id": external_workspace_id}
        filters = {"host": host, "method": method, "action": action, "secret": secret, "since": since, "until": until, **owners}
        params = {**self._resource, "format": format, **filters}
        with self._transport.stream("GET", "egress/audit/export", params=params) as response:
            if to is None:
                return b"".join([chunk for chunk in response.iter_bytes()])
            with _local.whole_file(to) as write:
                for chunk in response.iter_bytes():
                    write(chunk)
        return b""
