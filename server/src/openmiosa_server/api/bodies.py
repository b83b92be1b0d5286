"""Bodies, read strictly: size, syntax, types; and no silent miss of a misspelled field."""

import difflib
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import BadRequest, Invalid, TooLarge

JSON_LIMIT = 2**20
_DIGITS = 300  # of a whole number: what a client reads as a float is finite then, and nobody counts further
_CLOSE = 0.84  # difflib's ratio; `alowed_hosts`, `allowed_host` and `allow_hosts` reach it, the wire's own near-twins do not


class Body(BaseModel):
    """The base of request bodies.

    Fields we do not know are ignored, because the published clients send some that mean nothing here. One that
    looks like a misspelling of a field we do know is refused: it would be a silent miss, and of `allowed_hosts`
    a dangerous one.
    """

    model_config = ConfigDict(extra="allow", strict=False, hide_input_in_errors=True)

    @classmethod
    def known_elsewhere(cls) -> frozenset[str]:
        """Fields of the published wire that mean nothing here and are no misspellings."""
        return frozenset()


def example(content: dict[str, Any]) -> ConfigDict:
    """For a body's `model_config`: one that is accepted, shown by the document and sent by its tests."""
    return ConfigDict(json_schema_extra={"examples": [content]})


Model = TypeVar("Model", bound=Body)


class Reader(Generic[Model]):
    """Reads bodies of one model; the API's document asks it which."""

    def __init__(self, model: type[Model], limit: int | Callable[[Request], int]) -> None:
        self.model = model
        self._limit = limit

    async def __call__(self, request: Request) -> Model:
        """The request's body; a missing one is an empty object."""
        most = self._limit if isinstance(self._limit, int) else self._limit(request)
        return parsed(self.model, await raw(request, most))


def body(model: type[Model], *, limit: int | Callable[[Request], int] = JSON_LIMIT) -> Any:
    """A dependency that gives the request's body as a model."""
    return Depends(Reader(model, limit))


async def raw(request: Request, limit: int = JSON_LIMIT) -> bytes:
    """The bytes of the body, up to a limit; read once and kept."""
    kept = getattr(request.state, "raw_body", None)
    if kept is not None:
        if len(kept) > limit:
            raise _too_large(limit)
        return bytes(kept)
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise _too_large(limit)
    request.state.raw_body = bytes(content)
    return bytes(content)


def parsed(model: type[Model], content: bytes) -> Model:
    """The model that the JSON describes."""
    given = _object(content)
    _refuse_misspellings(model, given)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _invalid(error) from None


def _object(content: bytes) -> dict[str, Any]:
    if not content.strip():
        return {}
    try:
        text = content.decode()
        given = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant, parse_float=_finite, parse_int=_sane)
        if "\\u" in text:
            _refuse_unstorable(given)
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8; send JSON in UTF-8", code="INVALID_JSON") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply; no field needs more than a few levels", code="INVALID_JSON") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}", code="INVALID_JSON") from None
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object", code="INVALID_JSON")
    return given


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    given = dict(pairs)
    if len(given) != len(pairs):
        raise BadRequest("a field stands in the body twice", code="INVALID_JSON")
    return given


def _no_constant(name: str) -> float:
    raise BadRequest(f"{name} is no JSON", code="INVALID_JSON")


def _finite(text: str) -> float:
    # What JSON cannot write again would break every answer that it is part of.
    number = float(text)
    if not math.isfinite(number):
        raise BadRequest("a number in the body is too large", code="INVALID_JSON")
    return number


def _sane(text: str) -> int:
    if len(text) > _DIGITS:
        raise BadRequest("a number in the body is too large", code="INVALID_JSON")
    return int(text)


def _refuse_unstorable(given: Any) -> None:
    # Lone surrogates cannot be written as UTF-8, and PostgreSQL takes no NUL.
    for text in _texts(given):
        if "\0" in text:
            raise BadRequest("a text in the body has a NUL in it", code="INVALID_JSON")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadRequest("a text in the body has half of a surrogate pair", code="INVALID_JSON") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)


def _refuse_misspellings(model: type[Body], given: dict[str, Any]) -> None:
    known = set(model.model_fields) | {field.alias for field in model.model_fields.values() if field.alias}
    for name in given.keys() - known - model.known_elsewhere():
        close = difflib.get_close_matches(name, sorted(known - given.keys()), n=1, cutoff=_CLOSE)
        if close:
            raise Invalid(
                f"there is no field {name[:60]!r}; did you mean {close[0]!r}?",
                code="UNKNOWN_FIELD",
                details={"field": name[:60], "known": sorted(known)},
            )


def _invalid(error: ValidationError) -> Invalid:
    problems = [
        {"field": ".".join(str(part) for part in problem["loc"])[:200], "problem": problem["msg"][:300]}
        for problem in error.errors(include_input=False, include_context=False, include_url=False)[:20]
    ]
    said = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    return Invalid(said or "the body does not fit", code="VALIDATION_ERROR", details={"field": problems[0]["field"], "problems": problems})


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body has more than {limit} bytes; send less at once", details={"limit": limit})
