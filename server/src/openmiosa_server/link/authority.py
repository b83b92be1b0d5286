"""The interception authority of one sandbox: a certificate that its programs trust, and a key that only egressd borrows."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..db.clock import now

_LIFETIME = timedelta(days=364)  # within the year that strict verifiers accept
_BACKDATED = timedelta(minutes=5)  # a clock inside that lags a little must not see a certificate from the future


def make(sandbox_id: str) -> tuple[str, bytes]:
    """A fresh authority: its certificate as PEM, its private key as PKCS#8 DER. P-256, no further authorities below it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "OpenMIOSA"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"OpenMIOSA egress of {sandbox_id}"[:64]),
        ]
    )
    moment = now()
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATED)
        .not_valid_after(moment + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(identifier, critical=False)
        # Python 3.13's strict verification wants the authority key identifier even of a self-signed root.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private


def lease_of(sandbox_id: str) -> str:
    """The lease under which egressd borrows the key."""
    return f"ca_{sandbox_id}"


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
