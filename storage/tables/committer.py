"""Groups of batches on their way to disk: one is written while the next one is encoded.

In: groups of batches in the order of arrival. Out: answers in the same order, each group's when it is durable and
visible. Invariants: one group at most is being written; one that fails takes back what was encoded after it, which is
then encoded anew; whatever happens every batch is answered once. Used by one thread; the other one only writes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from storage.tables.errors import StorageFailed
from storage.tables.groups import Group, Outcome
from storage.tables.rows import Batch
from storage.tables.store import Store

log = logging.getLogger(__name__)
GROUP_ROWS = 4_096  # about; half of what many small senders have under way, so that one half is written meanwhile
BATCH_ROWS = 32  # as many cost what a batch costs that has none

Answer = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Append:
    """A batch to store."""

    batch: Batch
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Written:
    """A group that is being written, for whom, and what waits for its end and tells what went wrong."""

    waiting: Sequence[Append]
    group: Group
    kept: Callable[[], OSError | None]


def cost(item: Append) -> int:
    """What a batch counts in a group."""
    return BATCH_ROWS + sum(rows.count for rows in item.batch.rows)


class Committer:
    """What stores groups. `told` is called after each group's answers have been given."""

    def __init__(self, store: Store, told: Callable[[], None]) -> None:
        self._store = store
        self._told = told
        self._written: _Written | None = None
        self._thread = ThreadPoolExecutor(1, "muster-journal")

    @property
    def under_way(self) -> bool:
        """Whether a group is being written: `land` must come before anything else is done to the store."""
        return self._written is not None

    def commit(self, waiting: Sequence[Append], *, more: bool) -> None:
        """Store a group. If there are `more` it is still being written afterwards, else it is answered."""
        group = self._encoded(waiting)
        if not self.land():
            group = self._encoded(waiting)
        if group is None:
            self._answer(waiting, [StorageFailed(self._store.broken or "") for _ in waiting])
        elif more:
            self._written = _Written(waiting, group, self._thread.submit(self._store.keep, group).result)
        else:
            self._written = _Written(waiting, group, lambda: self._store.keep(group))
            self.land()

    def land(self) -> bool:
        """Wait for the group that is being written, let it count and answer; whether what was encoded after it may be
        gone on with."""
        written, self._written = self._written, None
        if written is None:
            return True
        failed: OSError | None = None
        try:
            failed = written.kept()
            outcomes = self._store.finish(written.group, failed)
        except Exception as error:
            self._break(error)
            outcomes = [StorageFailed(self._store.broken or "") for _ in written.waiting]
        self._answer(written.waiting, outcomes)
        return failed is None and not self._store.broken

    def close(self) -> None:
        """End the thread; nothing may be under way."""
        self._thread.shutdown()

    def _encoded(self, waiting: Sequence[Append]) -> Group | None:
        """A group, after the one that is being written; None where the program fails."""
        try:
            after = None if self._written is None else self._written.group
            return self._store.begin([item.batch for item in waiting], after)
        except Exception as error:
            self._break(error)
            return None

    def _answer(self, waiting: Sequence[Append], outcomes: Sequence[Outcome]) -> None:
        for item, outcome in zip(waiting, outcomes, strict=True):
            item.answer(outcome)
        self._told()

    def _break(self, error: Exception) -> None:
        log.error("storing a group of batches failed", exc_info=error)
        self._store.broken = f"an error of the program; open the folder anew ({error!r})"
