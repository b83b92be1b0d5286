"""/sandboxes/:id/events and /events/stream: calls and what happens to sandboxes, in one stream."""

from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ..errors import Invalid
from . import sse
from .context import Asked, while_valid
from .merge import together
from .operation import operation
from .route import Route
from .schemas.audit import EventsFrame

router = APIRouter(route_class=Route)

_PATTERNS = 32

Types = Annotated[
    str | None,
    Query(max_length=2000, description="Types to be told of, separated by commas, `*` for any part: `sandbox.*`, `audit`, `audit.reject`."),
]


@router.get("/sandboxes/{key}/events", **operation("audit.tail_compat", stream=EventsFrame, scope="audit:read", compat="audit.tail"))
async def of_sandbox(asked: Asked, key: str, request: Request, after: str | None = None, types: Types = None) -> Response:
    """A sandbox's calls, and what happens to it, as it happens. Calls are resumed after an event's id; the rest is live alone."""
    sandbox_id = await asked.services.audit.sandbox_id(asked.principal, key, **asked.who)
    return await _stream(asked, sandbox_id, after or request.headers.get("last-event-id"), types)


@router.get(
    "/events/stream", **operation("audit.tail_all", stream=EventsFrame, scope="audit:read", sdk="client.audit.tail", refuses=(404,))
)
async def of_tenant(asked: Asked, request: Request, after: str | None = None, types: Types = None) -> Response:
    """The tenant's."""
    return await _stream(asked, None, after or request.headers.get("last-event-id"), types)


async def _stream(asked: Asked, sandbox_id: str | None, after: str | None, types: str | None) -> Response:
    patterns = [pattern.strip() for pattern in (types or "*").split(",") if pattern.strip()]
    if len(patterns) > _PATTERNS:
        raise Invalid(f"types has at most {_PATTERNS} patterns", details={"field": "types"})
    calls = await asked.services.audit.tail(asked.principal, resource_id=sandbox_id, after=after, **asked.who)
    happenings = asked.services.sandboxes.lifecycle.follow(asked.principal, sandbox_id)

    async def frames() -> AsyncIterator[str]:
        async for told in while_valid(asked, together(calls, happenings)):
            if str(told["id"]).startswith("evt_"):
                if _wanted(("audit", f"audit.{told['action']}"), patterns):
                    yield sse.frame({"type": "audit", **told}, event="audit", event_id=told["id"])
            elif _wanted((told["action"],), patterns):
                # Without an id line: a stream is resumed after a call, and these are not kept.
                yield sse.frame({"type": told["action"], **told}, event=told["action"])

    return sse.stream(frames())


def _wanted(names: tuple[str, ...], patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
