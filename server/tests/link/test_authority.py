"""The interception authority of a sandbox: what strict clients ask of it."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from openmiosa_server.link import authority


@pytest.fixture
def made():
    pem, key = authority.make("sbx_1")
    return x509.load_pem_x509_certificate(pem.encode()), load_der_private_key(key, None)


def test_it_signs_leaves_and_no_further_authorities(made):
    constraints = made[0].extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)


def test_it_lasts_a_year_at_most(made):
    assert made[0].not_valid_after_utc - made[0].not_valid_before_utc <= timedelta(days=365)


def test_its_key_is_p256_and_its_own(made):
    assert isinstance(made[1], ec.EllipticCurvePrivateKey)
    assert made[1].curve.name == "secp256r1"
    assert made[1].public_key() == made[0].public_key()


def test_two_sandboxes_share_nothing():
    assert authority.make("sbx_1")[1] != authority.make("sbx_2")[1]
