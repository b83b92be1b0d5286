"""How a typed record is read from JSON: by its annotations, kindly, with what it does not know kept aside."""

import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from ..errors import UnexpectedReplyError

Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A frozen record of the API; fields that this version does not know are in `unknown`."""

    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Read a JSON object; null and absent fields take their defaults."""
        if not isinstance(body, Mapping):
            raise UnexpectedReplyError(f"expected a {cls.__name__} as a JSON object, got {type(body).__name__}")
        readers = _readers(cls)  # type: ignore[arg-type]
        known = {name: _read(cls, name, read, body[name]) for name, read in readers.items() if body.get(name) is not None}
        for name in _required(cls):  # type: ignore[arg-type]
            if name not in known:
                raise UnexpectedReplyError(f"a {cls.__name__} came without {name!r}")
        return cls(**known, unknown={name: value for name, value in body.items() if name not in readers})


def _read(cls: type, name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise UnexpectedReplyError(f"{name!r} of a {cls.__name__} cannot be read: {error}") from None


@functools.cache
def _readers(cls: type[Record]) -> dict[str, Reader]:
    hints = typing.get_type_hints(cls)
    return {one.name: _reader(hints[one.name]) for one in fields(cls) if one.name != "unknown"}


@functools.cache
def _required(cls: type[Record]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING)


def _reader(hint: Any) -> Reader:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _reader(next(part for part in arguments if part is not type(None)))
    if origin is tuple:
        element = _reader(arguments[0])
        return lambda value: tuple(element(item) for item in value)
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint.from_json
    return _PLAIN.get(hint, _as_is)


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _as_is(value: Any) -> Any:
    return value


_PLAIN: dict[Any, Reader] = {datetime: _moment, int: int, float: float, bool: bool, str: str}
