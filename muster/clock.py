"""The real clock, for programs that a person starts: the only module of this package that reads it.

In: nothing. Out: microseconds since 1970 in UTC. Invariant: everything else takes `now` as a value, so that an
estate, a query or a test can be repeated at the same instant.
"""

from __future__ import annotations

import time


def now() -> int:
    """This instant in microseconds UTC."""
    return time.time_ns() // 1_000
