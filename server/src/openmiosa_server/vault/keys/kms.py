"""A key-encryption key that stays in AWS KMS; needs the optional package boto3."""

import asyncio
import base64
import importlib
from typing import Any

from ...errors import Unavailable
from .base import WrongKey, sealed


class KmsKey:
    """Wraps by KMS Encrypt and Decrypt, with the context as encryption context."""

    def __init__(self, *, key_id: str, region: str | None = None) -> None:
        try:
            boto3 = importlib.import_module("boto3")
        except ImportError:
            raise sealed("vault.key = kms needs the package boto3; pip install 'openmiosa-server[kms]'") from None
        self.id = f"kms:{key_id}"[:255]
        self._key_id = key_id
        self._client: Any = boto3.client("kms", region_name=region)

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """KMS's ciphertext blob."""
        return bytes(await self._call("encrypt", "CiphertextBlob", Plaintext=data_key, EncryptionContext=_context(context)))

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The data key."""
        return bytes(await self._call("decrypt", "Plaintext", CiphertextBlob=wrapped, EncryptionContext=_context(context)))

    async def _call(self, verb: str, field: str, **arguments: Any) -> Any:
        try:
            answer = await asyncio.to_thread(getattr(self._client, verb), KeyId=self._key_id, **arguments)
        except self._client.exceptions.InvalidCiphertextException:
            raise WrongKey from None
        except Exception as error:  # boto3's errors are made at run time and share no importable base without it
            raise Unavailable(f"KMS does not answer ({type(error).__name__})", code="VAULT_KEY_UNREACHABLE", retry=True) from None
        return answer[field]


def _context(context: bytes) -> dict[str, str]:
    return {"openmiosa": base64.b64encode(context).decode()}
