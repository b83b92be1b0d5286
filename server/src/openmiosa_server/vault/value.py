"""A secret value in memory: it can be revealed on purpose and in no other way."""

from typing import NoReturn


class SecretValue:
    """Holds the bytes of a secret; printing, formatting, comparing for order and pickling never show them."""

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes | str) -> None:
        self._bytes = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """The bytes; call it only where they are encrypted, sealed or sent to their own provider."""
        return self._bytes

    def reveal_text(self) -> str:
        """The same as text."""
        return self._bytes.decode()

    def __repr__(self) -> str:
        return "SecretValue(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._bytes)

    def __len__(self) -> int:
        return len(self._bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and self._bytes == other._bytes

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret value is not pickled")
