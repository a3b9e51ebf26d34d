"""What an open channel's two ends know and nobody else does, so that requests and answers over it need no signatures.

In: one end's X25519 key for this channel and the other end's share, each under the signature that its sender gave in
the greeting, with the greeting's challenge. Out: seals of what is said, and whether a seal is right. Invariants: what
one end seals is never taken for the other's, nor what was said in one greeting in another; numbers only grow, so that
nothing counts twice. The portal imports it too.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey


class Session:
    """One end of a channel. Raises ValueError for a share that is no key."""

    __slots__ = ("_answers", "_asks", "_number")

    def __init__(self, mine: X25519PrivateKey, share: bytes, challenge: bytes) -> None:
        secret = mine.exchange(X25519PublicKey.from_public_bytes(share))
        root = _keyed(challenge, secret)
        self._asks, self._answers = _keyed(root, b"asks"), _keyed(root, b"answers")
        self._number = 0

    def next(self) -> int:
        """The number of the next request."""
        self._number += 1
        return self._number

    def taken(self, number: int) -> bool:
        """Whether a request's number is greater than all before it; then it is remembered."""
        newer = number > self._number
        self._number = max(number, self._number)
        return newer

    def ask(self, said: bytes) -> bytes:
        """The seal of a request."""
        return _keyed(self._asks, said)

    def answer(self, told: bytes) -> bytes:
        """The seal of an answer."""
        return _keyed(self._answers, told)


def same(seal: bytes, other: bytes) -> bool:
    """Whether two seals are the same; takes the same time whatever they are."""
    return compare_digest(seal, other)


def share_of(key: X25519PrivateKey) -> bytes:
    """What the other end is told of a key."""
    return key.public_key().public_bytes_raw()


def _keyed(key: bytes, data: bytes) -> bytes:
    # Made to be keyed; HMAC of OpenSSL lets another thread go first, which costs far more than the digest.
    return blake2b(data, key=key, digest_size=32).digest()
