"""Certificates for the rig's Internet: an authority that the operator trusts, one that nobody trusts, and every kind of bad leaf."""

import datetime
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority that signs whatever a test asks for."""

    def __init__(self, name: str, permitted: str | None = None, parent: "Authority | None" = None) -> None:
        self.parent = parent
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(parent.certificate.subject if parent else _named(name))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0 if parent else 1), critical=True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        if permitted:
            builder = builder.add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), critical=True)
        self.certificate = builder.sign(parent.key if parent else self.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """The certificate, for an operator's `extra_ca_files`."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def subordinate(self, permitted: str) -> "Authority":
        """An authority below this one that may only sign names under `permitted`."""
        return Authority("rig subordinate", permitted, self)

    def context(self, *names: str, **how: object) -> ssl.SSLContext:
        """A server's TLS context with a leaf for these names; `how` as in `leaf`."""
        certificate, key = self.leaf(*names, **how)  # type: ignore[arg-type]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="openmiosa-leaf-") as folder:
            pem = Path(folder, "leaf.pem")
            pem.write_bytes(key + certificate + (self.pem if self.parent else b""))
            context.load_cert_chain(pem)
        return context

    def leaf(
        self,
        *names: str,
        common_name: str | None = None,
        days: tuple[int, int] = (-1, 20),
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        self_signed: bool = False,
    ) -> tuple[bytes, bytes]:
        """A leaf and its key as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        subject = _named(common_name or (names[0] if names else "nobody"))
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        certificate = builder.sign(key if self_signed else self.key, hashes.SHA256())
        plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return certificate.public_bytes(serialization.Encoding.PEM), plain


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
