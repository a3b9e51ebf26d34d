"""Secrets that are shown once and kept as digests: API tokens and enrolment keys.

Text form: `<prefix>_<id without dashes>_<43 characters>`. In: an id and randomness, or a text to check. Out: the text
and its digest, or the id to look up. Invariants: 256 random bits, so a plain SHA-256 is enough at rest; digests are
compared in constant time.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

from storage.control.ids import Random

_FORM = re.compile(r"(?P<prefix>[a-z]{2,8})_(?P<id>[0-9a-f]{32})_[A-Za-z0-9_-]{43}")


def new_secret(prefix: str, identifier: str, random: Random) -> str:
    """A secret that carries its id."""
    return f"{prefix}_{UUID(identifier).hex}_{opaque(random)}"


def opaque(random: Random) -> str:
    """43 characters that carry 256 random bits."""
    return urlsafe_b64encode(random(32)).rstrip(b"=").decode()


def identifier_of(prefix: str, secret: str) -> str | None:
    """The id that a secret carries, None if the text is no secret of this kind."""
    match = _FORM.fullmatch(secret)
    return str(UUID(match["id"])) if match and match["prefix"] == prefix else None


def digest_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode()).digest()


def matches(secret: str, digest: bytes) -> bool:
    """Whether a secret is the one of a digest, in constant time."""
    return hmac.compare_digest(digest_of(secret), digest)
