"""Passwords: hashed with argon2id, checked in the same time whether the account exists or not.

In: a password. Out: the text of a hash, or whether one fits. Invariants: a password is bounded before it is hashed;
at most two are hashed at once, since each takes 64 MiB; what is remembered of one that came with a request is a digest
under a key of this process, and worth nothing beside another hash.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from functools import cached_property
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST, MOST = 10, 256  # characters
AT_ONCE = 2
REMEMBERED = 256


class Passwords:
    """Hashing and checking."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = BoundedSemaphore(AT_ONCE)
        self._key = secrets.token_bytes(32)
        self._proofs: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def hash(self, password: str) -> str:
        """The hash of a password. Raises ValueError outside LEAST to MOST characters."""
        if not LEAST <= len(password) <= MOST:
            raise ValueError(f"a password has {LEAST} to {MOST} characters")
        with self._turns:
            return self._hasher.hash(password)

    def fits(self, password: str, stored: str | None) -> bool:
        """Whether a password is the one of a hash; takes as long, and says no, where there is no hash."""
        if len(password) > MOST:
            return False
        with self._turns:
            try:
                self._hasher.verify(stored or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def fits_again(self, password: str, stored: str | None) -> bool:
        """As `fits`, for those who give their password with each request: one that did fit is known without hashing."""
        text = f"{stored or ''}\0{password[: MOST + 1]}".encode("utf-8", "surrogatepass")
        proof = hmac.digest(self._key, text, "sha256")
        with self._lock:
            if proof in self._proofs:
                self._proofs.move_to_end(proof)
                return stored is not None
        fits = self.fits(password, stored)
        with self._lock:
            if fits:
                self._proofs[proof] = None
            if len(self._proofs) > REMEMBERED:
                self._proofs.popitem(last=False)
        return fits

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash("nobody's password")
