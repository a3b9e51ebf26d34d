"""How many ids each sender was given today, so that none fills memory with objects that it invents.

In: batches that were applied, batches on their way. Out: how many more ids a batch may bring into being in an object
table. Invariant: what is counted follows from the batches alone, so that a replayed journal counts as the first time;
a start forgets what is sealed. A day is a UTC day of the portal's clock, which a sender does not set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from storage.tables.days import DAY
from storage.tables.frames import BatchPart, Prepared
from storage.tables.rows import Batch

OTHER = "other"  # the name of what came beyond


class Invented:
    """Ids by sender and object table, of the newest day."""

    def __init__(self) -> None:
        self._day = 0
        self._given: Counter[tuple[str, str]] = Counter()

    def note(self, part: BatchPart) -> None:
        """A batch was applied."""
        self._turn(part.received)
        for table, keys in part.keys.items():
            self._given[part.source, table] += len(keys.keys)

    def left(self, batch: Batch, table: str, waiting: Iterable[Prepared]) -> int | None:
        """How many ids of a table a batch may still bring into being, after those that wait to be applied; None: as
        many as it likes."""
        if batch.most_new is None:
            return None
        self._turn(batch.received)
        given = self._given[batch.source, table]
        for other in waiting:
            if other.part.source == batch.source and table in other.part.keys:
                given += len(other.part.keys[table].keys)
        return max(0, batch.most_new - given)

    def _turn(self, instant: int) -> None:
        """Begin anew with a later day; one that is earlier, by a clock that was set back, counts as the newest."""
        if instant // DAY > self._day:
            self._day = instant // DAY
            self._given.clear()
