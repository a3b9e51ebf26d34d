"""The portal's own TLS: its certificate, the one that comes next, and the pins that devices are told of them.

In: paths of PEM files. Out: pins (the SHA-256 of public keys), and a context that takes a new certificate while it
serves. Invariant: devices hear of a key before a server shows it, if the coming certificate is named in time; files
that cannot be read leave everything as it is.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class CertificateError(Exception):
    """A certificate or its key cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate file and the file of its private key."""

    chain: Path
    key: Path

    def load(self, context: ssl.SSLContext) -> None:
        """Have a server show it from the next connection on. Raises CertificateError."""
        try:
            context.load_cert_chain(self.chain, self.key)
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"{self.chain} and {self.key} cannot be used: {error}") from error


class Pins:
    """The pins that devices are told of: of the certificate that is served, and of those that come."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self.current: tuple[bytes, ...] = ()
        self.read()

    def read(self) -> None:
        """Read the files again. Raises CertificateError, and then nothing changed."""
        self.current = tuple(dict.fromkeys(pin_of(path) for path in self._files))


def pin_of(path: Path) -> bytes:
    """The pin of the first certificate of a PEM file. Raises CertificateError."""
    try:
        key = x509.load_pem_x509_certificates(path.read_bytes())[0].public_key()
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path} holds no certificate: {error}") from error
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
