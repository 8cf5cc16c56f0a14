"""The cluster's certificates: one authority for the API, one for aggregated APIs, and their leaves."""

import datetime as dt
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A cluster lives for hours; a year spares anyone who forgets one.
_LIFETIME = dt.timedelta(days=365)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority. `pair` is its certificate and key; its leaves are written into a folder."""

    def __init__(self, pair: Pair, leaves: Path, now: dt.datetime) -> None:
        """Reads the authority.

        Raises:
            OSError: certificate or key cannot be read.
            ValueError: they are none.
            TypeError: the key is none of an elliptic curve.
        """
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{pair.key}: expected a key of an elliptic curve, got {type(key).__name__}")
        self.pair, self._key, self._folder, self._now = pair, key, leaves, now
        self._name = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).subject
        leaves.mkdir(parents=True, exist_ok=True)

    @classmethod
    def create(cls, folder: Path, name: str, now: dt.datetime) -> Self:
        """Make a new one in `folder`, which takes its leaves too."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, key, issuer=subject, now=now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(_write(folder / name, certificate, key), folder, now)

    def leaf(
        self, name: str, *, common_name: str, organizations: Collection[str] = (), hosts: Collection[str] = ()
    ) -> Pair:
        """Issue a certificate for a client, and for a server too where `hosts` (names or addresses) are given."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [*(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations),
             x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        )  # fmt: skip
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            _builder(subject, key, issuer=self._name, now=self._now)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
            )
        return _write(self._folder / name, builder.sign(self._key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def service_account_key(path: Path) -> Path:
    """Write the key that signs service account tokens, in the form of which the API server can read the public half."""
    return _write_key(path, ec.generate_private_key(ec.SECP256R1()), serialization.PrivateFormat.TraditionalOpenSSL)


def _write(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    path = stem.with_suffix(".crt")
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Pair(path, _write_key(stem.with_suffix(".key"), key))


def _write_key(
    path: Path,
    key: ec.EllipticCurvePrivateKey,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return path


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
