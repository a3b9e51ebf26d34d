"""States of sealed files at hand: read, or made of the rows of a segment, once for many questions.

In: what tells states (the digest of a sealed file, their kind and columns) and a way to have them. Out: these, or None
the first times, when having them would cost more than it saves. Invariant: a sealed file never changes, so that neither
do its states; what was not used for longest goes where the budget, in bytes of all, is spent.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

import polars as pl

from storage.tables.dense import Dense

States = pl.DataFrame | Dense
BUDGET = 256 << 20  # bytes
MOST_BUDGET = 1 << 40
ASKED = 2  # times before they are kept
_MOST_COUNTED = 100_000


class StatesAtHand:
    """The states that a process keeps. `budget` is in bytes; 0 keeps nothing."""

    def __init__(self, budget: int = BUDGET, *, asked: int = ASKED) -> None:
        if not 0 <= budget <= MOST_BUDGET:
            raise ValueError(f"the budget of states at hand is 0 to {MOST_BUDGET} bytes, not {budget}")
        self._budget, self._asked_for = budget, asked
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[States | None, int]] = OrderedDict()
        self._asked: Counter[Hashable] = Counter()
        self._bytes = 0

    def states(self, of: Hashable, made: Callable[[], States | None]) -> States | None:
        """The states of a sealed file. None if they were not wanted often enough, or if `made` gives none."""
        with self._lock:
            if of in self._known:
                self._known.move_to_end(of)
                return self._known[of][0]
            if len(self._asked) > _MOST_COUNTED:
                self._asked.clear()
            self._asked[of] += 1
            if not self._budget or self._asked[of] < self._asked_for:
                return None
        found = made()
        self._keep(of, found)
        return found

    def _keep(self, of: Hashable, found: States | None) -> None:
        frame = found.frame if isinstance(found, Dense) else found
        size = 0 if frame is None else int(frame.estimated_size())
        with self._lock:
            if of in self._known or size > self._budget:
                return
            self._known[of] = found, size
            self._bytes += size
            del self._asked[of]
            while self._bytes > self._budget:
                _, (_, gone) = self._known.popitem(last=False)
                self._bytes -= gone
