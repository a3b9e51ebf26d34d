"""Slows down guessing: after a few failures a key (an account's name, an address) has to wait, longer each time.

In: keys and the instant. Out: how long to wait. Invariants: memory is bounded (the oldest keys are forgotten first);
a success clears what its failures built up; waiting tells nothing about whether an account exists.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

SECOND = 1_000_000
MOST_KEYS = 10_000
LONGEST = 15 * 60 * SECOND


class Throttle:
    """Failures by key: `free` of them cost nothing, then the wait doubles from a second up to LONGEST."""

    def __init__(self, free: int = 5) -> None:
        self._free = free
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()  # key -> how many, and until when to wait
        self._lock = Lock()

    def wait(self, key: str, *, now: int) -> int:
        """Microseconds until the key may try again; 0 for now."""
        with self._lock:
            return max(0, self._failures.get(key, (0, 0))[1] - now)

    def failed(self, key: str, *, now: int) -> None:
        """Note a failure."""
        with self._lock:
            count, until = self._failures.pop(key, (0, 0))
            if until and now - until > LONGEST:
                count = 0  # long ago
            count += 1
            over = count - self._free
            delay = min(LONGEST, SECOND << min(over - 1, 20)) if over > 0 else 0
            self._failures[key] = (count, now + delay)
            if len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        with self._lock:
            self._failures.pop(key, None)
