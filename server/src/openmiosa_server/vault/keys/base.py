"""The protocol of a key-encryption key: wrap, unwrap, id."""

from typing import NoReturn, Protocol

from ...errors import Unavailable


class Key(Protocol):
    """Wraps data keys. `context` is bound to the wrapped key: unwrapping with another context fails."""

    @property
    def id(self) -> str:
        """Which key this is; at most 255 bytes, stable, and nothing that helps to guess the key."""

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Encrypt a data key."""

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt a data key; WrongKey when it was not made by this key with this context."""


class WrongKey(Exception):
    """The wrapped data key does not belong to this key, this context, or was changed."""


class SealedKey:
    """Stands where no key could be opened: everything that needs one is refused with the reason."""

    id = "sealed"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def wrap(self, data_key: bytes, context: bytes) -> NoReturn:
        """Refuse."""
        raise sealed(self.reason)

    async def unwrap(self, wrapped: bytes, context: bytes) -> NoReturn:
        """Refuse."""
        raise sealed(self.reason)


def sealed(reason: str) -> Unavailable:
    """The error of everything that needs a sealed vault."""
    return Unavailable(f"the vault is sealed: {reason}", code="VAULT_SEALED", retry=False)
