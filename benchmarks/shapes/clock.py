"""The instant that the measured estate takes for now.

In: the real clock. Out: microseconds UTC. Invariant: the same for a week, and always a Wednesday in the middle of an
hour, so that windows cut through days and hours as they do in life, and no day is past its retention.
"""

from __future__ import annotations

import time

_WEEK = 7 * 86_400_000_000
_WEDNESDAY = 6 * 86_400_000_000 + 36_435_000_000  # the first one after 1970 began, at 10:07:15


def now() -> int:
    """The last Wednesday, 10:07:15 UTC."""
    return (time.time_ns() // 1_000 - _WEDNESDAY) // _WEEK * _WEEK + _WEDNESDAY
