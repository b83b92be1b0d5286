"""Sealing a value to one egressd: HPKE base mode, single shot, as `contracts/link` says.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; `info` is constant, `aad` names boot, lease, tenant, purpose
and version, so that a sealed value opens in one place, for one lease, in one life of the process.
"""

import base64

from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ..vault.value import SecretValue

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_INFO = b"openmiosa lease v1"
_ENC = 32  # bytes of an encapsulated X25519 key
# The package's public `Suite.encrypt` takes no associated data; this is the same code with the argument that RFC 9180
# gives it. The pinned version has it, and the sealing tests open what it makes by the RFC's own key schedule.
_encrypt_with_aad = openssl.hpke._encrypt_with_aad


def seal(public_key: bytes, value: SecretValue, *, boot: str, lease: str, tenant: str, purpose: str, version: int) -> dict[str, str]:
    """`{"enc", "ciphertext"}` in base64."""
    sealed = _encrypt_with_aad(
        _SUITE, value.reveal(), X25519PublicKey.from_public_bytes(public_key), _INFO, associated_data(boot, lease, tenant, purpose, version)
    )
    return {"enc": base64.b64encode(sealed[:_ENC]).decode(), "ciphertext": base64.b64encode(sealed[_ENC:]).decode()}


def associated_data(boot: str, lease: str, tenant: str, purpose: str, version: int) -> bytes:
    """What a sealed value is bound to."""
    return f"{boot}\n{lease}\n{tenant}\n{purpose}\n{version}".encode()
