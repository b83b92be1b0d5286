"""Sealing a value to one egressd: HPKE base mode, single shot, as `contracts/link` says.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; `info` names boot, lease, tenant, purpose and version, so that a
sealed value opens in one place, for one lease, in one life of the process.
"""

import base64

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ..vault.value import SecretValue

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_ENC = 32  # bytes of an encapsulated X25519 key


def seal(public_key: bytes, value: SecretValue, *, boot: str, lease: str, tenant: str, purpose: str, version: int) -> dict[str, str]:
    """`{"enc", "ciphertext"}` in base64."""
    sealed = _SUITE.encrypt(
        value.reveal(), X25519PublicKey.from_public_bytes(public_key), info=context(boot, lease, tenant, purpose, version)
    )
    return {"enc": base64.b64encode(sealed[:_ENC]).decode(), "ciphertext": base64.b64encode(sealed[_ENC:]).decode()}


def context(boot: str, lease: str, tenant: str, purpose: str, version: int) -> bytes:
    """What a sealed value is bound to."""
    return f"openmiosa lease v1\n{boot}\n{lease}\n{tenant}\n{purpose}\n{version}".encode()
