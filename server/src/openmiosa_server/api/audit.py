"""/egress/audit and the live tails: SSE for Python and TypeScript, a WebSocket for Go."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Query, Request, WebSocket
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from ..audit import Event, EventFilter
from ..errors import OpenMiosaError
from . import sse
from .answers import JSON, data, dump
from .context import Asked, while_valid
from .operation import operation, socket
from .route import Route
from .schemas.audit import Event as AuditEvent
from .schemas.audit import Events, TailFrame
from .schemas.common import One
from .sockets import caller_of, refuse
from .times import moment

router = APIRouter(route_class=Route)
sockets = APIRouter()

PROTOCOL = "miosa-egress-audit-v1"
_FILES = {"application/x-ndjson": {"type": "string"}, "text/csv": {"type": "string"}}

log = structlog.get_logger(__name__)


async def wanted(
    *,
    resource_id: str | None = None,
    resource_type: str | None = None,
    host: str | None = None,
    method: str | None = None,
    action: str | None = None,
    secret: str | None = None,
    since: str | None = None,
    until: str | None = None,
    external_user_id: str | None = None,
    external_workspace_id: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> EventFilter:
    """The filters of a list."""
    return EventFilter(
        resource_id=resource_id,
        resource_type=resource_type,
        host=host,
        method=method,
        action=action,
        secret=secret,
        since=moment(since, "since"),
        until=moment(until, "until"),
        external_user_id=external_user_id,
        external_workspace_id=external_workspace_id,
        cursor=cursor,
        limit=limit,
    )


Filters = Annotated[EventFilter, Depends(wanted)]


@router.get("/egress/audit", **operation("audit.list", Events, scope="audit:read", sdk=("sandbox.audit.list", "client.audit.list")))
async def listed(asked: Asked, filters: Filters) -> Response:
    """Events, oldest first; without `since` and cursor the newest."""
    page = await asked.services.audit.list(asked.principal, filters, **asked.who)
    return JSON({"events": page.events, "next_cursor": page.next_cursor})


@router.get(
    "/egress/audit/export",
    **operation("audit.export", media=_FILES, scope="audit:read", sdk=("sandbox.audit.export", "client.audit.export")),
)
async def export(asked: Asked, filters: Filters, form: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "jsonl") -> Response:
    """The same, all of it, as a file."""
    content = await asked.services.audit.export(asked.principal, filters, form, **asked.who)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    return StreamingResponse(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="audit.{form}"'})


@router.get(
    "/egress/audit/{event}", **operation("audit.get", One[AuditEvent], scope="audit:read", sdk=("sandbox.audit.get", "client.audit.get"))
)
async def get(asked: Asked, event: str) -> Response:
    """One event."""
    return data(await asked.services.audit.get(asked.principal, event, **asked.who))


@router.get("/sandboxes/{key}/audit/stream", **operation("audit.tail", stream=TailFrame, scope="audit:read", sdk="sandbox.audit.tail"))
async def tail(asked: Asked, key: str, request: Request, after: str | None = None) -> Response:
    """A sandbox's events as they happen; resumes after an event's id."""
    after = after or request.headers.get("last-event-id")
    events = await asked.services.audit.tail(asked.principal, resource_id=key, after=after, **asked.who)

    async def frames() -> AsyncIterator[str]:
        async for event in while_valid(asked, events):
            yield sse.frame({"type": "audit", **event}, event="audit", event_id=event["id"])

    return sse.stream(frames())


@sockets.websocket("/egress/audit/resource/{key}")
@socket(
    "audit.tail_socket",
    scope="audit:read",
    compat="audit.tail",
    query={"after": "Id of the last event seen."},
    subprotocols=[PROTOCOL],
    frame="Event",
)
async def tail_socket(client: WebSocket, key: str, after: str | None = None) -> None:
    """Flat JSON frames and nothing else: an envelope or a heartbeat decodes to an empty event in Go."""
    asked = await caller_of(client)
    if asked is None:
        return
    try:
        events = await asked.services.audit.tail(asked.principal, resource_id=key, after=after, **asked.who)
    except OpenMiosaError as error:
        await refuse(client, error)
        return
    await client.accept(subprotocol=PROTOCOL if PROTOCOL in client.scope.get("subprotocols", []) else None)
    sender = asyncio.create_task(_send(client, events))
    listener = asyncio.create_task(_until_gone(client))
    guard = asyncio.create_task(asked.services.identity.until_invalid(asked.principal))
    await asyncio.wait((sender, listener, guard), return_when=asyncio.FIRST_COMPLETED)
    for task in (sender, listener, guard):
        task.cancel()
    await asyncio.gather(sender, listener, guard, return_exceptions=True)
    if client.client_state is WebSocketState.CONNECTED and client.application_state is WebSocketState.CONNECTED:
        await client.close(1000)


async def _send(socket: WebSocket, events: AsyncIterator[Event]) -> None:
    async for event in events:
        await socket.send_text(dump(event))


async def _until_gone(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive()
    except (WebSocketDisconnect, RuntimeError):
        return
