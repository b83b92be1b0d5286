"""WebSockets: who asks, before anything is accepted; refusals as plain HTTP answers."""

from starlette.websockets import WebSocket

from ..errors import Forbidden, OpenMiosaError, Unauthenticated
from .answers import failure
from .context import Caller, bearer, info, services

_OFFERED = "bearer."  # browsers cannot set a header on a WebSocket; the key is offered as a second subprotocol


async def caller_of(socket: WebSocket) -> Caller | None:
    """The caller, or None after the refusal was sent."""
    try:
        _require_known_origin(socket)
        told = services(socket)
        principal = await told.identity.authenticate(_key(socket), request=info(socket))
        return Caller(principal, info(socket), told)
    except OpenMiosaError as error:
        await refuse(socket, error)
        return None


def agreed(socket: WebSocket, protocol: str) -> str | None:
    """The subprotocol, when it was offered: a browser that offered some hangs up when the answer names none of them."""
    return protocol if protocol in socket.scope.get("subprotocols", []) else None


async def refuse(socket: WebSocket, error: OpenMiosaError) -> None:
    """Answer the handshake with the error instead of 101."""
    await socket.send_denial_response(failure(error, socket.scope.get("request_id")))


def _require_known_origin(socket: WebSocket) -> None:
    """Browsers say where a page came from, and ask nobody before they open a WebSocket; so that is asked here."""
    origin = socket.headers.get("origin")
    if origin is None or origin in socket.app.state.browser_origins or origin.partition("://")[2] == socket.headers.get("host"):
        return
    raise Forbidden(
        "pages of this origin may not open WebSockets here; the operator lists it in server.browser_origins", code="ORIGIN_NOT_ALLOWED"
    )


def _key(socket: WebSocket) -> str:
    if "authorization" in socket.headers:
        return bearer(socket)
    for offered in socket.scope.get("subprotocols", []):
        if offered.startswith(_OFFERED):
            return str(offered.removeprefix(_OFFERED))
    raise Unauthenticated("send the API key as `Authorization: Bearer msk_live_…`; a key in the URL is not read")
