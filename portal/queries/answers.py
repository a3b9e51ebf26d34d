"""Answers that were given before, for as long as nothing that they rest on has changed.

In: a key that says what was asked, of which rows, by whom. Out: the rows, or nothing. Invariants: all entries together
take at most so many bytes, the longest unused leave first; what is under a key never changes, so whether an entry may
be used is decided by the key alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from engine.result import Result

BUDGET = 64 << 20
MOST_BUDGET = 1 << 40
SHARE = 8  # an entry takes at most this part of the budget


class Answers:
    """The answers kept. To be used from one event loop. `bytes` is what they take, `found` counts those used again."""

    def __init__(self, budget: int = BUDGET) -> None:
        if not 0 <= budget <= MOST_BUDGET:
            raise ValueError(f"the budget of kept answers is 0 to {MOST_BUDGET} bytes, not {budget}")
        self.budget = budget
        self.bytes = 0
        self.found = 0
        self._kept: OrderedDict[Hashable, tuple[Result, int]] = OrderedDict()

    def get(self, key: Hashable) -> Result | None:
        """The answer under a key."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        self.found += 1
        return kept[0]

    def forget(self) -> None:
        """Keep none of them: something was erased."""
        self._kept.clear()
        self.bytes = 0

    def keep(self, key: Hashable, result: Result) -> None:
        """Keep an answer, unless it is too large."""
        size = result.table.nbytes + (0 if result.devices is None else result.devices.nbytes)
        if key in self._kept or size > self.budget // SHARE:
            return
        self._kept[key] = (result, size)
        self.bytes += size
        while self.bytes > self.budget:
            _, (_, gone) = self._kept.popitem(last=False)
            self.bytes -= gone
