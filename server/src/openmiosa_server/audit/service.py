"""The audit log of egress: taking in, listing, following, exporting. Nothing here deletes or changes an event."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from ..db.engine import Database
from ..db.lookup import find_sandbox
from ..errors import Invalid, NotFound
from ..identity import Identity, Principal, RequestInfo
from . import export, query
from .ingest import ingest
from .tail import Tails
from .types import Event, EventFilter, EventPage

_EXPORT_BATCH = 500


class Audit:
    """Events of a tenant's sandboxes."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self._database = database
        self._identity = identity
        self._tails = Tails(database)
        # One batch at a time, so that events go out to the tails in the order of their numbers.
        self._ingesting = asyncio.Lock()

    async def ingest(self, gateway: str, records: Sequence[Mapping[str, Any]]) -> int:
        """Store what a data plane shipped, then publish it; the highest sequence number that is safe."""
        async with self._ingesting:
            async with self._database.begin() as tx:
                highest, made = await ingest(tx, gateway, records)
            self._tails.publish(made)
            return highest

    async def list(self, principal: Principal, wanted: EventFilter | None = None, *, request: RequestInfo | None = None) -> EventPage:
        """Events, oldest first; without `since` and cursor, the newest."""
        wanted = wanted or EventFilter()
        await self._allow(principal, "audit:event:list", wanted.resource_id, request, record=False)
        async with self._database.read() as tx:
            resource_id = await self._resource(tx, principal, wanted.resource_id)
            after = None if wanted.cursor is None else await query.number_of(tx, principal, wanted.cursor)
            conditions = [*query.visible(principal), *query.matching(wanted, resource_id)]
            return await query.page(tx, conditions, wanted, after)

    async def get(self, principal: Principal, event_id: str, *, request: RequestInfo | None = None) -> Event:
        """One event."""
        await self._allow(principal, "audit:event:get", event_id, request, record=False)
        async with self._database.read() as tx:
            number = await query.number_of(tx, principal, event_id)
            found = await query.following(tx, query.visible(principal), number - 1, 1)
        if not found:
            raise NotFound("no such event; list the audit for those there are")
        return found[0]

    async def sandbox_id(self, principal: Principal, key: str, *, request: RequestInfo | None = None) -> str:
        """The id of the sandbox whose events somebody may read."""
        await self._allow(principal, "audit:event:tail", key, request, record=False)
        async with self._database.read() as tx:
            return str((await find_sandbox(tx, principal.tenant_id, principal.external_user_id, key))["id"])

    async def totals(self, principal: Principal, resource_id: str, since: datetime) -> dict[str, int]:
        """How many calls a sandbox made since then, and their bytes. Figures of the sandbox, not events: its readers may know them."""
        await self._identity.authorize(principal, "sandboxes:read", "audit:event:count", resource_id=resource_id, record=False)
        async with self._database.read() as tx:
            sandbox_id = await self._resource(tx, principal, resource_id)
            conditions = [*query.visible(principal), *query.matching(EventFilter(since=since), sandbox_id)]
            return await query.totals(tx, conditions)

    async def tail(
        self,
        principal: Principal,
        *,
        resource_id: str | None = None,
        after: str | None = None,
        request: RequestInfo | None = None,
    ) -> AsyncIterator[Event]:
        """Events as they are committed, from now on or after an event's id, without gaps and repeats.

        Awaiting the call authorises and resolves, so that refusals come before a stream begins; the iterator does the rest.
        """
        await self._allow(principal, "audit:event:tail", resource_id, request, record=True)
        async with self._database.read() as tx:
            sandbox_id = await self._resource(tx, principal, resource_id)
            number = await (query.newest(tx) if after is None else query.number_of(tx, principal, after))
        conditions = [*query.visible(principal), *query.matching(EventFilter(), sandbox_id)]

        def wants(event: Event) -> bool:
            return (
                event["tenant_id"] == principal.tenant_id
                and (sandbox_id is None or event["resource_id"] == sandbox_id)
                and (principal.external_user_id is None or event["external_user_id"] == principal.external_user_id)
            )

        return self._tails.follow(wants, conditions, number)

    async def export(
        self, principal: Principal, wanted: EventFilter, kind: str = "jsonl", *, request: RequestInfo | None = None
    ) -> AsyncIterator[bytes]:
        """The filtered list as a stream of bytes, `csv` or `jsonl`; `limit` and `cursor` are not looked at."""
        await self._allow(principal, "audit:event:export", wanted.resource_id, request, record=True)
        if kind not in export.FORMATS:
            raise Invalid("format is csv or jsonl", code="BAD_FORMAT", details={"field": "format"})
        async with self._database.read() as tx:
            resource_id = await self._resource(tx, principal, wanted.resource_id)
        return self._export([*query.visible(principal), *query.matching(wanted, resource_id)], kind)

    def close(self) -> None:
        """End every tail."""
        self._tails.close()

    async def _export(self, conditions: Sequence[ColumnElement[bool]], kind: str) -> AsyncIterator[bytes]:
        if head := export.header(kind):
            yield head
        last = 0
        while True:
            async with self._database.read() as tx:
                batch = await query.following(tx, conditions, last, _EXPORT_BATCH)
            if not batch:
                return
            last = batch[-1]["number"]
            yield export.lines(kind, batch)

    async def _resource(self, tx: Any, principal: Principal, resource_id: str | None) -> str | None:
        if resource_id is None:
            return None
        return str((await find_sandbox(tx, principal.tenant_id, principal.external_user_id, resource_id))["id"])

    async def _allow(
        self, principal: Principal, action: str, resource_id: str | None, request: RequestInfo | None, *, record: bool
    ) -> None:
        # Lists are polled every two seconds by clients whose tail is a poll: only their refusals are recorded.
        await self._identity.authorize(
            principal, "audit:read", action, resource_type="event", resource_id=resource_id, request=request, record=record
        )
