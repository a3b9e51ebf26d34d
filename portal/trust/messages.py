"""The JSON of the trust routes: what comes in with its bounds, and what goes out.

Data only; bytes travel as base64. Invariant: the value of a secret comes in and never goes out; no private key is in
any message.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from agent.wire import Hex64, Key
from agent.wire import Signature as Signed64
from storage.control.manifest import Name, NqlId

AuthorName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Serial = Annotated[int, Meta(ge=1, le=1 << 62)]


class NewAuthor(Struct, forbid_unknown_fields=True):
    """An author to trust: a name for people and the raw Ed25519 public key."""

    name: AuthorName
    key: Key


class AuthorInfo(Struct):
    """An author as it is shown. `fingerprint` is the beginning of `id`, the SHA-256 of the key."""

    id: str
    name: str
    fingerprint: str
    key: bytes
    endorsed_by: str | None
    added_at: str
    added_by: str
    removed_at: str | None


class AuthorList(Struct):
    """All authors, by when they came."""

    authors: list[AuthorInfo]


class AuthorOne(Struct):
    """One author."""

    author: AuthorInfo


class NewEndorsement(Struct, forbid_unknown_fields=True):
    """The author whose key is `by` vouches for the one of the address."""

    by: Key
    signature: Signed64


class KeyInfo(Struct):
    """A key of the portal; it signs with the current one, for devices that know no newer one with an older."""

    fingerprint: str
    key: bytes
    current: bool


class KeyList(Struct):
    """The portal's keys, oldest first."""

    keys: list[KeyInfo]


class NewSecret(Struct, forbid_unknown_fields=True):
    """A value to keep under a name, in place of the former."""

    name: Name
    value: Annotated[str, Meta(max_length=8192)]


class NewGrant(Struct, forbid_unknown_fields=True):
    """An action whose scripts may read the secret of the address."""

    action: NqlId


class SecretInfo(Struct):
    """A secret as it is shown: never its value."""

    name: str
    actions: list[str]
    created_at: str
    updated_at: str
    updated_by: str


class SecretList(Struct):
    """All secrets, by name."""

    secrets: list[SecretInfo]


class NewSignature(Struct, forbid_unknown_fields=True):
    """An author's signature of a version of the action of the address."""

    version: Hex64
    author: Key
    serial: Serial
    signature: Signed64


class SignatureInfo(Struct):
    """A signature as it is shown; `author` is the name, `signed_at` the time that its serial is."""

    version: str
    author: str
    fingerprint: str
    serial: int
    signed_at: str
    received_at: str


class SignatureList(Struct):
    """The signatures of the newest version by authors who are trusted now; with none it is a draft."""

    version: str
    draft: bool
    signatures: list[SignatureInfo]
