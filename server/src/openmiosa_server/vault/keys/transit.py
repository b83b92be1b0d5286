"""A key-encryption key that stays in OpenBao or Vault: its transit engine wraps and unwraps."""

import base64
import ssl
from pathlib import Path
from typing import Any

import httpx2

from ...errors import Unavailable
from .base import WrongKey, sealed

_TIMEOUT = 5.0  # seconds; a vault that answers slower than this is down for our callers


class TransitKey:
    """Wraps through `POST <address>/v1/<mount>/{encrypt,decrypt}/<key>`; the token file is read at each use, so it may be renewed."""

    def __init__(self, *, address: str, key_name: str, token_file: Path, mount: str = "transit", ca_file: Path | None = None) -> None:
        self.id = f"transit:{mount}/{key_name}"[:255]
        self._token_file = Path(token_file)
        self._path = f"/v1/{mount}/%s/{key_name}"
        verify: Any = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
        self._http = httpx2.AsyncClient(base_url=address.rstrip("/"), timeout=_TIMEOUT, verify=verify, trust_env=False)

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """The engine's ciphertext, as it spells it."""
        answer = await self._ask("encrypt", plaintext=_base64(data_key), associated_data=_base64(context))
        return str(answer["ciphertext"]).encode()

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The data key."""
        answer = await self._ask("decrypt", ciphertext=wrapped.decode("ascii", "replace"), associated_data=_base64(context))
        return base64.b64decode(answer["plaintext"])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(self, verb: str, **body: str) -> dict[str, Any]:
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise sealed(f"the transit token file cannot be read: {error.strerror}") from None
        try:
            reply = await self._http.post(self._path % verb, json=body, headers={"X-Vault-Token": token})
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"the transit engine does not answer ({type(error).__name__})", code="VAULT_KEY_UNREACHABLE", retry=True
            ) from None
        if reply.status_code == 400 and verb == "decrypt":
            raise WrongKey
        if reply.status_code in (401, 403):
            raise sealed("the transit engine refuses our token; renew it or grant it encrypt and decrypt on the key")
        if reply.status_code != 200:
            raise Unavailable(f"the transit engine answered {reply.status_code}", code="VAULT_KEY_UNREACHABLE", retry=True)
        answer: dict[str, Any] = reply.json()["data"]
        return answer


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
