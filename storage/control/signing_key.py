"""The portal's Ed25519 key, with which it signs orders. It lies in the data folder as a file of its own, never in the
database.

In: the path. Out: the private key. Invariants: the file is readable by its owner alone (a wider one is refused); it
appears whole or not at all; an existing key is never replaced, since every enrolled device has pinned it.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from storage.control.errors import RefusedError
from storage.control.key_files import write_once


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key of a file, made if the file does not exist. Raises RefusedError: wide_open_key, broken_key."""
    if not path.exists():
        write_key(path, Ed25519PrivateKey.generate())
    if path.stat().st_mode & 0o077:
        raise RefusedError(
            "wide_open_key", f"{path} can be read by others than its owner: chmod 600 it, or replace the key"
        )
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise RefusedError("broken_key", f"{path} holds no private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RefusedError("broken_key", f"{path} holds a key of another kind than Ed25519")
    return key


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Put a key into a file of its own, unless the file is there already."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_once(path, pem)
