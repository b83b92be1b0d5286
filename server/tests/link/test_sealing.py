"""Sealed values open in one place only."""

import base64

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from openmiosa_server.link import sealing
from openmiosa_server.vault import SecretValue

from server.tests.link.gateway import open_sealed

ABOUT = {"boot": "b", "lease": "sec_1", "tenant": "ten_1", "purpose": "secret", "version": 3}


def seal(key: X25519PrivateKey) -> tuple[bytes, bytes]:
    sealed = sealing.seal(key.public_key().public_bytes_raw(), SecretValue("the value"), **ABOUT)
    return base64.b64decode(sealed["enc"]), base64.b64decode(sealed["ciphertext"])


def test_the_rfc_key_schedule_opens_it():
    key = X25519PrivateKey.generate()
    assert open_sealed(key, *seal(key), b"openmiosa lease v1\nb\nsec_1\nten_1\nsecret\n3") == b"the value"


@pytest.mark.parametrize(
    "other", ["x\nsec_1\nten_1\nsecret\n3", "b\nsec_2\nten_1\nsecret\n3", "b\nsec_1\nten_2\nsecret\n3", "b\nsec_1\nten_1\nsecret\n4"]
)
def test_it_opens_for_no_other_boot_lease_tenant_or_version(other):
    key = X25519PrivateKey.generate()
    with pytest.raises(InvalidTag):
        open_sealed(key, *seal(key), f"openmiosa lease v1\n{other}".encode())


def test_another_key_does_not_open_it():
    with pytest.raises(InvalidTag):
        open_sealed(X25519PrivateKey.generate(), *seal(X25519PrivateKey.generate()), b"openmiosa lease v1\nb\nsec_1\nten_1\nsecret\n3")


def test_two_seals_of_one_value_have_nothing_in_common():
    key = X25519PrivateKey.generate()
    first, second = seal(key), seal(key)
    assert first[0] != second[0]
    assert first[1] != second[1]
