"""What every route gets: the services, who asks, and the facts of the request."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from ..audit import Audit
from ..bindings import Bindings
from ..connect import Connect
from ..errors import Unauthenticated
from ..identity import Identity, Presets, Principal, RequestInfo
from ..network import Network
from ..replay import Replay
from ..sandboxes import Execution, Files, Logs, Previews, Sandboxes, Snapshots, Terminals, Tunnels
from ..templates.store import TemplateStore
from ..vault import Vault


@dataclass(frozen=True, slots=True)
class Services:
    """The services that routes call; made by main."""

    identity: Identity
    presets: Presets
    sandboxes: Sandboxes
    execution: Execution
    logs: Logs
    terminals: Terminals
    tunnels: Tunnels
    files: Files
    snapshots: Snapshots
    previews: Previews
    templates: TemplateStore
    vault: Vault
    bindings: Bindings
    connect: Connect
    network: Network
    audit: Audit
    replay: Replay


def services(connection: HTTPConnection) -> Services:
    """The services of the running application."""
    return cast(Services, connection.app.state.services)


def info(connection: HTTPConnection) -> RequestInfo:
    """Request id and address of the caller, for the administrative log."""
    client = connection.client
    return RequestInfo(request_id=connection.scope.get("request_id"), ip_address=client.host if client else None)


def bearer(connection: HTTPConnection) -> str:
    """The presented key. Never from the URL, which ends up in logs and histories."""
    given = connection.headers.getlist("authorization")
    if len(given) != 1:
        raise Unauthenticated("send the API key as `Authorization: Bearer msk_live_…`", code="UNAUTHENTICATED")
    scheme, _, token = given[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("send the API key as `Authorization: Bearer msk_live_…`", code="UNAUTHENTICATED")
    return token.strip()


async def authenticated(connection: HTTPConnection, *, tickets: bool = False) -> Principal:
    """The caller, asked for once a request: by its key, or where a stream is opened by a ticket."""
    known = getattr(connection.state, "principal", None)
    if known is None:
        identity, ticket = services(connection).identity, connection.query_params.get("ticket")
        if tickets and ticket is not None and "authorization" not in connection.headers:
            known = await identity.authenticate_ticket(ticket, request=info(connection))
        else:
            known = await identity.authenticate(bearer(connection), request=info(connection))
        connection.state.principal = known
    return cast(Principal, known)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from where, and the services to ask: the first argument of every route."""

    principal: Principal
    request: RequestInfo
    services: Services

    @property
    def who(self) -> dict[str, Any]:
        """The keyword that every service method takes."""
        return {"request": self.request}


async def caller(request: Request) -> Caller:
    """The caller of an HTTP request."""
    return Caller(await authenticated(request), info(request), services(request))


Asked = Annotated[Caller, Depends(caller)]
Item = TypeVar("Item")


async def while_valid(asked: Caller, events: AsyncIterator[Item]) -> AsyncIterator[Item]:
    """What a stream gives, until the key that it was opened with is revoked."""
    guard = asyncio.create_task(asked.services.identity.until_invalid(asked.principal))
    following = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait((guard, following), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            event = following.result()
            if event is None:
                return
            following = asyncio.ensure_future(anext(events, None))
            yield event
    finally:
        for task in (guard, following):
            task.cancel()
        await asyncio.gather(guard, following, return_exceptions=True)
        await events.aclose()  # type: ignore[attr-defined]
