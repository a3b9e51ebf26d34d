"""Identifiers that sort by the time they were made: UUID version 7 (RFC 9562), as 36 characters of text.

In: an instant in microseconds UTC and a source of random bytes. Out: text. Invariant: ids made at a later microsecond
sort later, so that an index on them is an index on time; 60 bits are random, so that an id cannot be guessed from
another.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from uuid import UUID

Random = Callable[[int], bytes]


def uuid7(now: int, random: Random = secrets.token_bytes) -> str:
    """A new id at `now` (microseconds UTC): 48 bits of milliseconds, 10 bits of microseconds, the rest random."""
    milliseconds, rest = divmod(now, 1000)
    bits = int.from_bytes(random(8), "big")
    high = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | rest << 66 | (bits & 3) << 64
    return str(UUID(int=high | 2 << 62 | bits >> 2))


def is_uuid(text: str) -> bool:
    """Whether a text is an id in the one spelling we write: lower case, with dashes."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
