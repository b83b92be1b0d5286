"""Every route: authenticate first, then (for a mutation with an Idempotency-Key) replay, then the handler."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..replay import Replay
from ..replay.service import fingerprint
from .answers import JSON
from .bodies import raw
from .context import authenticated, bearer, services
from .failures import answer
from .operation import HINT, EventStream
from .padded import Padded

MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Answers of these hold a key or a ticket; they are never stored.
_SHOWN_ONCE = re.compile(r"/(api-keys(/scoped|/[^/]+/rotate)?|tokens/scoped|sse/ticket|auth/sse-ticket)\Z")
_LARGE = 2**27  # the route's own limit is lower; this only bounds what is read for the fingerprint

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Documented(APIRoute):
    """A route that says what it is, or is not made."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **about: Any) -> None:
        if about.get("operation_id") is None:
            raise TypeError(f"{endpoint.__module__}.{endpoint.__name__} at {path!r}: {HINT}")
        super().__init__(path, endpoint, **about)


class Route(Documented):
    """The class of all routes below /api/v1."""

    def get_route_handler(self) -> Handler:
        """Wrap what FastAPI made."""
        handle = super().get_route_handler()
        streams = self.response_class is EventStream

        async def handled(request: Request) -> Response:
            await authenticated(request, tickets=streams and request.method == "GET")
            if request.method in MUTATIONS and "idempotency-key" in request.headers:
                return await _once(request, handle)
            return await handle(request)

        return handled


class StreamedRoute(Documented):
    """Routes that take a body of any size as it comes: what they do twice is the same as once, so nothing is replayed."""

    def get_route_handler(self) -> Handler:
        """Wrap what FastAPI made."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            await authenticated(request)
            return await handle(request)

        return handled


class OpenRoute(Documented):
    """Routes without a key: the OAuth callback, which is authorised by its state; probes; the API's document."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **about: Any) -> None:
        super().__init__(path, endpoint, **{**about, "openapi_extra": {**(about.get("openapi_extra") or {}), "x-open": True}})


async def _once(request: Request, handle: Handler) -> Response:
    replay = services(request).replay
    tenant = (await authenticated(request)).tenant_id
    key = request.headers["idempotency-key"]
    target = request.url.path + "?" + request.url.query
    asker = bearer(request)
    begun = await replay.begin(tenant, key, fingerprint(asker, request.method, target, await raw(request, _LARGE)), asker)
    if begun.status is not None:
        headers = {"Idempotency-Replayed": "true"}
        if begun.status == 204:
            return Response(status_code=204, headers=headers)
        return Response(begun.body, begun.status, headers, media_type=JSON.media_type)
    try:
        response = await _answered(request, handle)
        if isinstance(response, Padded):
            response.remember = partial(_settle, replay, tenant, key, asker)
            return response
        if _worth_repeating(response) or isinstance(response, StreamingResponse) or not hasattr(response, "body"):
            await replay.forget(tenant, key)
            return response
        hidden = request.method == "POST" and _SHOWN_ONCE.search(request.url.path) is not None and response.status_code < 300
        await replay.finish(tenant, key, response.status_code, None if hidden else bytes(response.body), asker)
        return response
    except BaseException:
        await asyncio.shield(replay.forget(tenant, key))
        raise


def _worth_repeating(response: Response) -> bool:
    """Whether the answer says that the same request may succeed later: then it must not be the answer for a day."""
    if response.status_code < 400 or not hasattr(response, "body"):
        return False
    return response.status_code >= 500 or json.loads(bytes(response.body))["error"]["retry"] is True


async def _settle(replay: Replay, tenant: str, key: str, asker: str, content: bytes | None) -> None:
    if content is None:
        await replay.forget(tenant, key)
    else:
        await replay.finish(tenant, key, 200, content, asker)


async def _answered(request: Request, handle: Handler) -> Response:
    try:
        return await handle(request)
    except Exception as error:
        return await answer(request, error)
