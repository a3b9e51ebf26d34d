"""The one place of the table store that reads the real clock.

Everything else is handed a function that returns the instant, so that tests and simulations decide what time it is.
"""

from __future__ import annotations

import time


def system_clock() -> int:
    """Microseconds since 1970 in UTC, now."""
    return time.time_ns() // 1_000
