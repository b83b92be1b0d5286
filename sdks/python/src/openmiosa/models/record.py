"""How a typed record is read from JSON and written back: by its annotations, kindly, with what it does not know kept aside."""

import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Self

from ..errors import UnexpectedReplyError

Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A frozen record of the API; fields that this version does not know are in `unknown`."""

    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    # Which fields came with a value: what was said is said again by `to_json`, also when it is the default.
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

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
        unknown = {name: value for name, value in body.items() if name not in readers}
        return cls(**known, unknown=unknown, given=frozenset(known))

    def to_json(self) -> dict[str, Any]:
        """The record as JSON has it, unknown fields included; what is null or was never said is left out."""
        known = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _OWN and self._says(one)}
        spelling = _spellings(type(self))  # type: ignore[arg-type]
        return {name: _plain(value, spelling.get(name, _as_is)) for name, value in known.items()} | dict(self.unknown)

    def _says(self, one: Field[Any]) -> bool:
        value = getattr(self, one.name)
        return value is not None and (one.name in self.given or value != _default(one))


_OWN = frozenset(("unknown", "given"))


def _read(cls: type, name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise UnexpectedReplyError(f"{name!r} of a {cls.__name__} cannot be read: {error}") from None


@functools.cache
def _readers(cls: type[Record]) -> dict[str, Reader]:
    hints = typing.get_type_hints(cls)
    return {one.name: _reader(hints[one.name]) for one in fields(cls) if one.name not in _OWN}


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


def _default(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


@functools.cache
def _spellings(cls: type[Record]) -> dict[str, Reader]:
    """Fields that the wire has in another type than the record, such as a number that travels as text."""
    return {one.name: one.metadata["wire"] for one in fields(cls) if "wire" in one.metadata}


def _plain(value: Any, spelling: Reader = _as_is) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return spelling(value)
