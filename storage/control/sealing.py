"""What the control database keeps unreadable: values sealed under a key that lies in a file of its own.

In: the path of the key file, plain bytes and what they are for. Out: sealed bytes, and back. Invariants: whoever has
the database alone learns nothing but lengths; a value sealed for one purpose does not open for another; the file is
made on first use, readable by its owner alone (a wider one is refused), appears whole, and is never replaced.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from storage.control.errors import RefusedError
from storage.control.key_files import write_once

KEY_BYTES, NONCE_BYTES = 32, 12


class Sealer:
    """The key of one data folder at work. Safe in any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: ChaCha20Poly1305 | None = None
        self._lock = Lock()

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """The bytes, sealed for a purpose such as `webhook:<id>`. Raises RefusedError: wide_open_key, broken_key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._key().encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """The plain bytes. Raises RefusedError: wide_open_key, broken_key, not_sealed_here."""
        try:
            return self._key().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            message = f"a stored secret does not open with {self._path}; put back the key file it was sealed with"
            raise RefusedError("not_sealed_here", message) from error

    def _key(self) -> ChaCha20Poly1305:
        with self._lock:
            if self._cipher is None:
                self._cipher = ChaCha20Poly1305(_key_of(self._path))
            return self._cipher


def _key_of(path: Path) -> bytes:
    if not path.exists():
        write_once(path, secrets.token_bytes(KEY_BYTES))
    if path.stat().st_mode & 0o077:
        raise RefusedError(
            "wide_open_key", f"{path} can be read by others than its owner: chmod 600 it, or replace the key"
        )
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise RefusedError("broken_key", f"{path} is not a key of {KEY_BYTES} bytes; put back the file from a backup")
    return key
