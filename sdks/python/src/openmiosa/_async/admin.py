"""The record of administrative acts."""

from datetime import datetime

from ..models import AdminEntry
from .pages import AsyncPages
from .transport import AsyncTransport


class AsyncAdminLog:
    """Who did what to which thing, allowed or refused; not the outbound calls, which are in `audit`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        action: str | None = None,
        type: str | None = None,
        actor_id: str | None = None,
        resource_type: str | None = None,
        resource_id: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPages[AdminEntry]:
        """Entries as an iterator, newest first; `*` in `type` stands for any part of an act. `limit` is the size of a page."""
        params = {
            "action": action, "type": type, "actor_id": actor_id, "resource_type": resource_type, "resource_id": resource_id,
            "since": since, "until": until, "limit": limit, "cursor": cursor,
        }  # fmt: skip
        return AsyncPages(self._transport, "audit-log", params, AdminEntry.from_json)
