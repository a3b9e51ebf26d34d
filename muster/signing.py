"""Author keys and the signatures they make, outside the portal: files in, files out.

In: a private key file, the manifest of an action as `muster apply` reads it. Out: what will be signed, and the
signature, as the file `signature.json` beside the manifest. Invariants: the private key lies in a file of its owner
alone, is never sent, and never stands on a command line; the version is computed here from the files, so that an author
signs what is on the disk before them, whatever a portal says.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Meta

from agent import statements, wire
from agent.authors import line_of
from agent.identity import verify
from muster.errors import UsageError
from storage.control.errors import RefusedError
from storage.control.manifest import Manifest, check, content
from storage.control.records import digest_of_json

NAME = "signature.json"
MOST_BYTES = 64 << 10


class Signature(msgspec.Struct, frozen=True):
    """An author's signature of a version: `author` is the raw public key, `serial` microseconds at signing."""

    author: wire.Key
    serial: Annotated[int, Meta(ge=1, le=1 << 62)]
    signature: wire.Signature


class Signatures(msgspec.Struct, frozen=True):
    """What `signature.json` holds: the signatures of one version of one action."""

    nql_id: str
    version: wire.Hex64
    signatures: Annotated[list[Signature], Meta(max_length=64)]


@dataclass(frozen=True, slots=True)
class Form:
    """What a signature covers: the action, the version, and the manifest that it is the digest of."""

    manifest: Manifest
    version: str


def form_of(manifest: dict[str, Any]) -> Form:
    """What would be signed of a manifest. Raises UsageError."""
    try:
        whole = msgspec.convert(manifest, Manifest)
        check(whole)
    except (msgspec.ValidationError, RefusedError) as error:
        raise UsageError(f"{manifest.get('nql_id', 'The action')} is no right action: {error}.") from error
    return Form(whole, digest_of_json(content(whole)))


def sign(key: Ed25519PrivateKey, form: Form, *, now: int) -> Signature:
    """The signature of a version; its serial is `now`, microseconds UTC."""
    said = statements.author_bytes(form.manifest.nql_id, form.version, now)
    return Signature(public(key), now, key.sign(said))


def genuine(form: Form, signature: Signature, key: Ed25519PrivateKey) -> bool:
    """Whether a signature of a version was made with this key."""
    said = statements.author_bytes(form.manifest.nql_id, form.version, signature.serial)
    return signature.author == public(key) and verify(public(key), signature.signature, said)


def public(key: Ed25519PrivateKey) -> bytes:
    """The raw public key."""
    return key.public_key().public_bytes_raw()


# --- signature.json ----------------------------------------------------------------------------
def read(folder: Path, form: Form) -> list[Signature]:
    """The signatures beside a manifest that are of this very version. Raises UsageError."""
    path = folder / NAME
    if not path.is_file():
        return []
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES >> 10} KiB.")
        found = msgspec.json.decode(path.read_bytes(), type=Signatures)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Remove it and sign the action again.") from error
    mine = (found.nql_id, found.version) == (form.manifest.nql_id, form.version)
    return found.signatures if mine else []


def write(folder: Path, form: Form, signature: Signature) -> None:
    """Put a signature beside the manifest, in place of the same author's; those of other versions go. Raises
    UsageError."""
    others = [one for one in read(folder, form) if one.author != signature.author]
    whole = Signatures(form.manifest.nql_id, form.version, [*others, signature])
    (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")


def said(form: Form, signature: Signature) -> dict[str, Any]:
    """A signature as the portal takes it."""
    return {"version": form.version, **msgspec.to_builtins(signature)}


# --- author keys -------------------------------------------------------------------------------
def make_key(path: Path, name: str, passphrase: bytes | None) -> tuple[Ed25519PrivateKey, Path]:
    """A new author key in a file of its own, and its public half beside it. Raises UsageError."""
    key = Ed25519PrivateKey.generate()
    way: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    beside = path.with_name(path.name + ".pub")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, way))
            file.flush()
            os.fsync(file.fileno())
        beside.write_text(line_of(public(key), name) + "\n", encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"{path} is there already.", "A key is never written over: choose another name.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return key, beside


def load_key(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """An author's private key. Raises UsageError."""
    try:
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{path} can be read by others than you.", f"chmod 600 {path}")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        key = load_pem_private_key(data, password=passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} does not open: {error}.", "Is it an author key, and the passphrase right?") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} holds a key of another kind.", "`muster authors create` makes author keys.")
    return key


def is_locked(path: Path) -> bool:
    """Whether a key file wants a passphrase. Raises UsageError."""
    try:
        return b"ENCRYPTED" in path.read_bytes()[:200]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
