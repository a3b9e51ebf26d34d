"""Access tokens: JWTs of 15 minutes that stand for a credential.

In: a credential's id and the instant; later a token. Out: a token; the id of its credential. Invariants: tokens are
authentic by a key that is derived from the portal's own, for this alone, so that nothing signed here could pass for an
order; a token of a key before the last rotation counts until it is over; what a token may do is looked up with its
credential at every request, never read from it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.endpoints import encode
from storage.control.ids import uuid7
from storage.control.key_ring import KeyRing, fingerprint, public

SECOND = 1_000_000
LIFE = 900  # seconds
LONGEST = 2000  # characters
ISSUER, ALGORITHM, SCOPE = "muster", "HS256", "service:integration"
PURPOSE = b"muster access tokens 1"


class _Header(msgspec.Struct):
    alg: str
    kid: str


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    iat: int
    exp: int


class AccessTokens:
    """Makes and reads tokens. Safe in any thread."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._derived: dict[str, bytes] = {}

    def issue(self, credential: str, *, now: int) -> str:
        """A token for a credential."""
        seconds = now // SECOND
        key, secret = self._secret(self._keys.current)
        claims = {"iss": ISSUER, "sub": credential, "iat": seconds, "exp": seconds + LIFE, "scope": SCOPE}
        said = f"{_packed({'alg': ALGORITHM, 'typ': 'JWT', 'kid': key})}.{_packed(claims | {'jti': uuid7(now)})}"
        return f"{said}.{_text(_mac(secret, said))}"

    def credential(self, token: str, *, now: int) -> str | None:
        """The credential of a token, None if it is none of ours or is over."""
        if len(token) > LONGEST or not token.isascii() or token.count(".") != 2:
            return None
        said, _, mac = token.rpartition(".")
        try:
            header, claims = (_unpacked(part) for part in said.split("."))
            known, told = msgspec.json.decode(header, type=_Header), msgspec.json.decode(claims, type=_Claims)
            given = _unpacked(mac)
        except (ValueError, msgspec.MsgspecError):
            return None
        secret = next((secret for key, secret in map(self._secret, self._keys.keys) if key == known.kid), None)
        if secret is None or known.alg != ALGORITHM or not hmac.compare_digest(given, _mac(secret, said)):
            return None
        return told.sub if told.iss == ISSUER and told.exp > now // SECOND else None

    def _secret(self, key: Ed25519PrivateKey) -> tuple[str, bytes]:
        name = fingerprint(public(key))
        if name not in self._derived:
            self._derived[name] = hmac.digest(key.private_bytes_raw(), PURPOSE, sha256)
        return name, self._derived[name]


def _mac(secret: bytes, said: str) -> bytes:
    return hmac.digest(secret, said.encode(), sha256)


def _packed(value: dict[str, Any]) -> str:
    return _text(encode(value))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
