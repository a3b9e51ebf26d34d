"""Certificates for tests: an authority of the test's own, and servers that it vouches for.

Comes in: a folder. Goes out: PEM files. Invariant: every certificate is right for 127.0.0.1, localhost and portal.test,
so that a refusal is for the key alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=30)
NAMES = [x509.DNSName("localhost"), x509.DNSName("portal.test"), x509.IPAddress(ip_address("127.0.0.1"))]


@dataclass(frozen=True)
class Files:
    """A certificate and its private key."""

    certificate: Path
    key: Path


class Authority:
    """An authority; `file` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        self.file = folder / "ca.pem"
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        signing = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
        )
        signing |= dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
        made = made.add_extension(x509.KeyUsage(key_cert_sign=True, **signing), critical=True)
        self.file.write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def server(self, name: str, *others: str) -> Files:
        """A server's certificate with a key of its own, in files of this name; `others` are further names of it."""
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal.test")])
        names = x509.SubjectAlternativeName([*NAMES, *map(x509.DNSName, others)])
        made = self._builder(subject, key).add_extension(names, critical=False)
        files = Files(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        files.certificate.write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _builder(self, subject: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        named = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        numbered = named.serial_number(x509.random_serial_number())
        return numbered.not_valid_before(FROM).not_valid_after(UNTIL)
