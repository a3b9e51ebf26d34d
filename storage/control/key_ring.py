"""The portal's keys, oldest first: the one that signs, and those before it, which devices may still go by.

In: the path of the first key; `portal.key` has the followers `portal-2.key`, `portal-3.key` beside it. Out: private
keys by their fingerprints. Invariants: a key that was made stays, since a device that was away for long pins an old one
and follows the chain from there; a new key appears whole or not at all, and after its rotation was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from storage.control.errors import RefusedError
from storage.control.signing_key import signing_key, write_key

MOST = 17  # a device is told of 16 successions


class KeyRing:
    """The keys of one data folder. Safe in any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._keys = (signing_key(path), *self._followers())
        self._named: dict[str, Ed25519PrivateKey] = {}

    @property
    def keys(self) -> tuple[Ed25519PrivateKey, ...]:
        """All keys, oldest first."""
        return self._keys

    @property
    def current(self) -> Ed25519PrivateKey:
        """The key that new devices pin."""
        return self._keys[-1]

    def of(self, pinned: str | None) -> Ed25519PrivateKey:
        """The key of a fingerprint. A device that names none knows of no rotation and goes by the first; one that
        names a key that is none of ours cannot be answered right, and gets the current."""
        if pinned is None:
            return self._keys[0]
        keys = self._keys
        if len(self._named) != len(keys):  # asked with every answer, and keys are only added
            self._named = {fingerprint(public(key)): key for key in keys}
        return self._named.get(pinned, keys[-1])

    def rotate(self, record: Callable[[bytes], None]) -> Ed25519PrivateKey:
        """Make the next key and sign with it from now on. `record` is told its public half before it appears. Raises
        RefusedError: too_many_keys."""
        with self._lock:
            if len(self._keys) >= MOST:
                raise RefusedError(
                    "too_many_keys", f"{MOST} keys are the most; devices cannot be told of more rotations"
                )
            key = Ed25519PrivateKey.generate()
            record(public(key))
            write_key(self._follower(len(self._keys) + 1), key)
            self._keys = (*self._keys, key)
            return key

    def _followers(self) -> list[Ed25519PrivateKey]:
        found: list[Ed25519PrivateKey] = []
        while (path := self._follower(len(found) + 2)).exists():
            found.append(signing_key(path))
        return found

    def _follower(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.stem}-{number}{self._path.suffix}")


def public(key: Ed25519PrivateKey) -> bytes:
    """The raw public key."""
    return key.public_key().public_bytes_raw()


def fingerprint(key: bytes) -> str:
    """The short name of a public key: 16 hexadecimal digits of its SHA-256."""
    return sha256(key).hexdigest()[:16]
