"""Which servers a device talks to: those that show a key it pinned, whoever signed their certificate.

In: pins, at enrolment also the certificates to trust. Out: a context for HTTP and for the channel. Invariants: a pin
is the SHA-256 of a public key as certificates hold it (SPKI), so that a certificate can be renewed with the same key;
the key is looked at before the first byte of ours goes out; without pins, name and authority are verified as usual.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def pin_of(certificate: x509.Certificate) -> bytes:
    """The pin of a certificate's public key."""
    return sha256(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


class UnpinnedError(ssl.SSLError):
    """The server shows another key; its text is one for people."""

    def __str__(self) -> str:
        return str(self.args[0])


class Pinning(ssl.SSLContext):
    """A context that takes pinned keys alone; `shown` is the pin of the key that a server showed last."""

    pins: frozenset[bytes] = frozenset()
    shown: bytes | None = None

    def look(self, certificate: bytes | None) -> None:
        """Raise UnpinnedError unless a certificate's key is pinned, where any is."""
        shown = None if certificate is None else pin_of(x509.load_der_x509_certificate(certificate))
        if self.pins and shown not in self.pins:
            said = shown.hex() if shown else "-"
            raise UnpinnedError(f"the server shows a key that this device did not pin ({said})")
        self.shown = shown


class _Socket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        _looked(self.context, self.getpeercert(binary_form=True))


class _Object(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _looked(self.context, self.getpeercert(binary_form=True))


def _looked(context: ssl.SSLContext, certificate: bytes | None) -> None:
    assert isinstance(context, Pinning)
    context.look(certificate)


def pinned(pins: Collection[bytes]) -> Pinning:
    """A context that goes by pins; without any, by the authorities of this system."""
    if not pins:
        return verified(None)
    made = _made()
    made.check_hostname = False  # the key is the name
    made.verify_mode = ssl.CERT_NONE
    made.pins = frozenset(pins)
    return made


def verified(authorities: Path | None) -> Pinning:
    """A context that goes by a file of authorities, or by those of this system. Raises OSError (ssl.SSLError too)."""
    made = _made()
    if authorities is None:
        made.load_default_certs()
    else:
        made.load_verify_locations(authorities)
    return made


def _made() -> Pinning:
    made = Pinning(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = _Socket
    made.sslobject_class = _Object
    return made
