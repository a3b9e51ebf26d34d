"""Who this device is: its two private keys, and what it pinned when it enrolled.

In: the state folder. Out: `Keys` and `Enrolment`. Invariants: keys are made before the first request and never
replaced, so that an enrolment whose answer got lost can be repeated; nothing is sent but public keys and signatures;
what was pinned changes only by enrolling again, or along signatures that begin at it (`pinning`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Meta, field

from agent import files, wire

KEYS_FILE = "keys.json"
ENROLMENT_FILE = "enrolment.json"
Policy = Literal["disabled", "unrestricted", "signed_trusted"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
T = TypeVar("T")
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:_-]+(/[A-Za-z0-9._~/-]*)?")


class IdentityError(Exception):
    """The state folder holds no usable identity; the text says what to do."""


class _StoredKeys(msgspec.Struct, frozen=True):
    identity: wire.Key
    sealing: wire.Key


class Enrolment(msgspec.Struct, frozen=True):
    """What the device pinned. `url` is the portal's address without a slash at the end; `removed` are authors that the
    portal took back, `tls_pins` what its server may show (none: it is reached without TLS), `name` what the
    device is called, if not by its host name."""

    url: str
    device: str
    collector: str
    generation: int
    simulated: bool
    portal_key: wire.Key
    authors: list[wire.Key]
    policy: Policy = "signed_trusted"
    removed: Annotated[list[wire.Key], Meta(max_length=1024)] = field(default_factory=list)
    tls_pins: Annotated[list[wire.Digest], Meta(max_length=64)] = field(default_factory=list)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The device's private keys."""

    identity: Ed25519PrivateKey
    sealing: X25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """The device's signature."""
        return self.identity.sign(data)

    def public(self) -> tuple[bytes, bytes]:
        """The raw public keys: identity, sealing."""
        return self.identity.public_key().public_bytes_raw(), self.sealing.public_key().public_bytes_raw()


def verify(key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a signature is that of a raw Ed25519 public key."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def ensure_keys(folder: Path) -> Keys:
    """The keys of a state folder, made if there are none."""
    files.private_folder(folder)
    path = folder / KEYS_FILE
    if not path.exists():
        fresh = _StoredKeys(
            Ed25519PrivateKey.generate().private_bytes_raw(), X25519PrivateKey.generate().private_bytes_raw()
        )
        files.replace(path, wire.encode(fresh))
    return load_keys(folder)


def load_keys(folder: Path) -> Keys:
    """The keys of a state folder. Raises IdentityError."""
    stored = _read(folder / KEYS_FILE, _StoredKeys)
    return Keys(
        Ed25519PrivateKey.from_private_bytes(stored.identity), X25519PrivateKey.from_private_bytes(stored.sealing)
    )


def load_enrolment(folder: Path) -> Enrolment:
    """What a state folder's device pinned. Raises IdentityError."""
    return _read(folder / ENROLMENT_FILE, Enrolment)


def save_enrolment(folder: Path, enrolment: Enrolment) -> None:
    """Pin what the portal said."""
    files.replace(folder / ENROLMENT_FILE, wire.encode(enrolment))


def clean_url(text: str) -> str:
    """The portal's address in the one form we keep. Raises IdentityError."""
    if not _URL.fullmatch(text):
        raise IdentityError(f"{text!r} is not the address of a portal, such as https://muster.example:8420")
    return text.rstrip("/")


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise IdentityError(f"{path.parent} holds no enrolled device: run `muster-agent enroll` first") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise IdentityError(f"{path} cannot be read ({error}); enroll this device again") from error
