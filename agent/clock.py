"""The agent's clock: microseconds UTC that never jump.

In: nothing. Out: an instant. Invariant: it starts at the wall clock and then goes with the machine's uptime (sleep
included), so that setting the wall clock moves no timer and no bucket. How far it is off the portal's time is learned
from signed answers and added by whoever needs the portal's time.
"""

from __future__ import annotations

import time
from typing import Protocol

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> int:
        """Microseconds UTC."""
        ...


class SteadyClock:
    """The real one."""

    def __init__(self) -> None:
        self._base = time.time_ns() // 1000 - _uptime()

    def now(self) -> int:
        """Microseconds UTC, as of the wall clock when this was made."""
        return self._base + _uptime()


def _uptime() -> int:
    return time.clock_gettime_ns(_BOOT) // 1000
