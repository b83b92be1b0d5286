"""The API's document (OpenAPI 3.1), made of the routes themselves: `contracts/openapi.json`, and /openapi.json of a server.

FastAPI knows parameters and answers; added here are bodies, refusals, security, streams and WebSockets.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.responses import Response
from starlette.routing import BaseRoute

from .answers import dump
from .bodies import Body, Reader
from .operation import HINT, operation
from .route import MUTATIONS, OpenRoute
from .schemas.common import Error
from .words import ABOUT, PARAMETERS, REFUSALS, TAGS

BASE = "/api/v1"
_NAMES = frozenset(
    ("after", "cursor", "policy_id", "provider", "resource_id", "secret_id", "template_id")
)  # of things that may not be there
_REF = "#/components/schemas/{model}"
_ENVELOPE = re.compile(r"\b(One|Many|Page)_(\w+)_$")
_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]


def router(routes: Callable[[], Sequence[BaseRoute]]) -> APIRouter:
    """The route that serves the document, without a key: it holds nothing that the repository does not."""
    made = APIRouter(route_class=OpenRoute)
    kept: list[str] = []

    @made.get(
        "/openapi.json", **operation("document.get", media={"application/json": {"type": "object"}}, scope=None, no_sdk="tools read it")
    )
    async def document() -> Response:
        """This document."""
        if not kept:
            kept.append(dump(describe(routes())))
        return Response(kept[0], media_type="application/json")

    return made


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document of these routes. Raises TypeError, with what to add, for one that does not say enough of itself."""
    made: dict[str, Any] = get_openapi(
        title="OpenMIOSA", version="1", summary=ABOUT["summary"], description=ABOUT["description"], routes=routes
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    bodies = _bodies(routes, schemas)
    made["servers"] = [{"url": BASE, "description": "The server that answered this document."}]
    made["security"] = _BEARER
    paths: dict[str, Any] = {}
    for path, item in made["paths"].items():
        within = path.removeprefix(BASE)
        paths[within] = {
            method: _finished(f"{method.upper()} {path}", spec, bodies.get(spec["operationId"])) for method, spec in item.items()
        }
        if within == path:
            paths[within]["servers"] = [{"url": "/", "description": "At the root, for machines."}]
    made["paths"] = dict(sorted(paths.items()))
    made["x-websockets"] = sorted(_sockets(routes), key=lambda told: str(told["path"]))
    made["components"] |= {"schemas": _kept(schemas), **_shared()}
    made["tags"] = [{"name": name, "description": TAGS[name]} for name in sorted({spec["tags"][0] for spec in _operations(paths)})]
    named: dict[str, Any] = _named(made)
    named["components"]["schemas"] = dict(sorted(named["components"]["schemas"].items()))
    return named


def _named(told: Any) -> Any:
    """Without the titles that repeat each name, and with envelopes called after what is in them."""
    if isinstance(told, dict):
        kept = {name: value for name, value in told.items() if not _says_nothing(name, value, told)}
        return {_ENVELOPE.sub(_envelope, name): _named(value) for name, value in kept.items()}
    if isinstance(told, list):
        return [_named(item) for item in told]
    return _ENVELOPE.sub(_envelope, told) if isinstance(told, str) else told


def _says_nothing(name: str, value: Any, beside: dict[str, Any]) -> bool:
    return (name == "title" and isinstance(value, str) and "version" not in beside) or (name == "default" and value is None)


def _envelope(found: re.Match[str]) -> str:
    return found[2] + {"One": "Answer", "Many": "List", "Page": "Page"}[found[1]]


def _operations(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in paths.values():
        yield from (spec for method, spec in item.items() if method != "servers")


def _finished(where: str, spec: dict[str, Any], body: type[Body] | None) -> dict[str, Any]:
    """One operation with its body, its refusals and its parameters in words."""
    if not any(name in spec for name in ("x-sdk", "x-compat", "x-no-sdk")):
        raise TypeError(f"{where}: {HINT}")
    if spec["tags"][0] not in TAGS:
        raise TypeError(f"{where}: the tag {spec['tags'][0]!r} has no description; add it to TAGS in api/words.py")
    spec["summary"] = spec["description"].partition("\n")[0].rstrip(".")
    for parameter in spec.get("parameters", ()):
        _word(where, parameter)
    changes = where.partition(" ")[0] in MUTATIONS
    if spec.pop("x-open", False):
        spec["security"] = []
    elif changes:
        spec.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
    if body is not None:
        schema = {"$ref": _REF.format(model=body.__name__)}
        needed = any(field.is_required() for field in body.model_fields.values())
        spec["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    answers = {status: _answer(status, answer) for status, answer in spec["responses"].items() if status not in ("422", "501")}
    named = {given.get("name", "") for given in spec.get("parameters", ())} | set(body.model_fields if body is not None else ())
    statuses = _refusals(spec, changes=changes, names_something=bool(named & _NAMES))
    refusals = {str(status): {"$ref": f"#/components/responses/{REFUSALS[status][0]}"} for status in statuses}
    spec["responses"] = {**answers, **refusals, "5XX": {"$ref": "#/components/responses/Failure"}}
    return spec


def _word(where: str, parameter: dict[str, Any]) -> None:
    """A parameter's description: the handler's own, else the common one of that name."""
    name = parameter["name"]
    if "description" not in parameter:
        if name not in PARAMETERS:
            raise TypeError(f"{where}: describe the parameter {name!r}, by Query(description=…) or in PARAMETERS of api/words.py")
        parameter["description"] = PARAMETERS[name]
    kinds = [kind for kind in parameter["schema"].get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:  # a query says that something is missing by not naming it
        parameter["schema"] = kinds[0]


def _answer(status: str, answer: dict[str, Any]) -> dict[str, Any]:
    content = answer.get("content", {})
    for kind, told in content.items():
        if kind == "text/event-stream":
            data = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"$ref": told["schema"]["$ref"]}}
            names = {"type": "string", "description": "The same as `type` inside the data."}
            frame = {"type": "object", "properties": {"event": names, "id": {"type": "string"}, "data": data}, "required": ["data"]}
            content[kind] = {"itemSchema": frame}  # a keyword of OpenAPI 3.2; 3.1 has none for streams
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    words = {"200": "Done.", "201": "Made.", "204": "Done; there is nothing to say."}
    return {"description": words.get(status, "Answered."), "headers": headers, **({"content": content} if content else {})}


def _refusals(spec: dict[str, Any], *, changes: bool, names_something: bool) -> list[int]:
    found = {*spec.pop("x-refuses", ()), *(int(status) for status in spec["responses"] if status == "501")}
    if spec.get("security") != []:
        found |= {401, *((409,) if changes else ())}
        if "x-scope" in spec:
            found.add(403)
    if names_something or any(parameter.get("in") == "path" for parameter in spec.get("parameters", ())):
        found.add(404)
    if "requestBody" in spec:
        found |= {400, 413}
    if spec.get("parameters") or "requestBody" in spec:
        found.add(422)
    return sorted(found)


def _bodies(routes: Sequence[BaseRoute], schemas: dict[str, Any]) -> dict[str, type[Body]]:
    """The model of each operation's body; their schemas are added to the others."""
    found = {
        str(context.operation_id): model
        for context in iter_route_contexts(routes)
        if (dependant := getattr(context, "dependant", None)) is not None and (model := _model(dependant)) is not None
    }
    _, defined = models_json_schema([(model, "validation") for model in dict.fromkeys(found.values())], ref_template=_REF)
    for name, schema in defined.get("$defs", {}).items():
        if "__" in name or (name in schemas and schemas[name] != schema):
            raise TypeError(f"two models are called {name.rpartition('__')[2]!r}; give the body another name")
        schemas[name] = schema
    return found


def _model(dependant: Dependant) -> type[Body] | None:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Reader):
            return inner.call.model
    return None


def _sockets(routes: Sequence[BaseRoute]) -> Iterator[dict[str, Any]]:
    for context in iter_route_contexts(routes):
        route = context.original_route
        if isinstance(route, APIWebSocketRoute):
            told = getattr(route.endpoint, "operation", None)
            if told is None:
                raise TypeError(f"WS {context.path}: mark it with @socket('noun.verb', scope=…, sdk=…) of api/operation.py")
            yield {"path": str(context.path).removeprefix(BASE), "description": route.endpoint.__doc__, **told}


def _kept(schemas: dict[str, Any]) -> dict[str, Any]:
    """Without FastAPI's own error, which is never answered, and with ours."""
    _, defined = models_json_schema([(Error, "serialization")], ref_template=_REF)
    kept = {**schemas, **defined["$defs"]}
    return {name: schema for name, schema in kept.items() if name not in ("HTTPValidationError", "ValidationError")}


def _shared() -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
    headers = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    wait = {"description": "Seconds to wait before asking again.", "schema": {"type": "number"}}
    key = {"type": "string", "minLength": 1, "maxLength": 255}
    return {
        "responses": {
            **{name: {"description": said, "headers": headers, "content": error} for name, said in REFUSALS.values()},
            "Failure": {"description": ABOUT["failure"], "headers": {**headers, "Retry-After": wait}, "content": error},
        },
        "headers": {"RequestId": {"description": ABOUT["request_id"], "schema": {"type": "string"}}},
        "parameters": {
            "IdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": ABOUT["idempotency"],
                "schema": key,
            }
        },
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": ABOUT["bearer"]}},
    }
