"""The one place of the portal that reads the real clocks.

Everything else is handed a function that returns the instant, so that tests decide what time it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def now() -> int:
    """Microseconds since 1970 in UTC."""
    return time.time_ns() // 1_000


def elapsed() -> float:
    """Seconds of a clock that never steps, for measuring how long something took."""
    return time.perf_counter()
