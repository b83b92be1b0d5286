"""What the API's document says of a route, given where the route is made:

    @router.get("/{key}/usage", **operation("sandboxes.usage", One[Usage], scope="sandboxes:read", sdk="sandbox.usage"))

The first word of the identifier is the route's tag. Bodies and parameters come from the handler's own signature.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

BYTES = {"type": "string", "format": "binary"}
OCTETS = {"application/octet-stream": BYTES}
HINT = (
    "say what it is: @router.get(path, **operation('noun.verb', Answer, scope='nouns:read', sdk='sandbox.noun.verb')), "
    "or compat='the.operation' for what only published clients call, or no_sdk='why' for what no SDK calls (api/operation.py)"
)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


def operation(
    identifier: str,
    gives: type[BaseModel] | None = None,
    *,
    scope: str | None,
    sdk: str | tuple[str, ...] = (),
    compat: str | None = None,
    no_sdk: str | None = None,
    status: int = 200,
    stream: type[BaseModel] | None = None,
    media: Mapping[str, Any] | None = None,
    takes: Mapping[str, Any] | None = None,
    also: tuple[int, ...] = (),
    refuses: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Keywords for a route's decorator.

    `gives` is the answer's model (none with 204), `stream` the model of a frame's data, `media` an answer of other
    types as {type: schema}; `takes` a body that is no JSON, alike. `also` are other statuses that such an answer has,
    `refuses` adds statuses to those that follow from the route's shape (401 and 403, 404 with a path parameter, 400,
    413 and 422 with a body, 409 for a change).
    """
    extra: dict[str, Any] = {**marks(identifier, scope, sdk, compat, no_sdk), "x-refuses": sorted(refuses)}
    if takes is not None:
        extra["requestBody"] = {"required": True, "content": {kind: {"schema": schema} for kind, schema in takes.items()}}
    answer: dict[str, Any] = {}
    if gives is not None or stream is not None:
        answer["model"] = gives or stream
    if media is not None:
        answer["content"] = {kind: {"schema": schema} for kind, schema in media.items()}
    made = {
        "operation_id": identifier,
        "tags": [identifier.partition(".")[0]],
        "status_code": status,
        "responses": dict.fromkeys((status, *also), answer),
        "openapi_extra": extra,
    }
    if stream is not None:
        made["response_class"] = EventStream
    elif media is not None:
        made["response_class"] = Response  # has no type of its own, so that only those of `media` are listed
    return made


def socket(
    identifier: str, *, scope: str, sdk: str | tuple[str, ...] = (), compat: str | None = None, **about: Any
) -> Callable[[Endpoint], Endpoint]:
    """The same for a WebSocket, which OpenAPI has no word for: it is listed under `x-websockets`."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.operation = {"operationId": identifier, **marks(identifier, scope, sdk, compat, None), **about}  # type: ignore[attr-defined]
        return endpoint

    return mark


def marks(identifier: str, scope: str | None, sdk: str | tuple[str, ...], compat: str | None, no_sdk: str | None) -> dict[str, Any]:
    """Who calls it, and the scope that it needs."""
    methods = [sdk] if isinstance(sdk, str) else list(sdk)
    callers = {"x-sdk": methods or None, "x-compat": compat, "x-no-sdk": no_sdk}
    said = {name: value for name, value in callers.items() if value}
    if len(said) != 1:
        raise TypeError(f"{identifier}: give exactly one of sdk, compat and no_sdk; {HINT}")
    return {**said, "x-scope": scope}
