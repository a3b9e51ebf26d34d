"""The one thread that writes: it groups what is waiting, stores it with one fsync, answers, and seals when it is time.

In: batches from any thread, each with a way to answer. Out: answers, in the order of arrival. Invariant: every batch
that was taken is answered exactly once, whatever happens. Grouping costs nobody time: a group is what came while the
former one was written, up to 2 ms of encoding or 1 MiB.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from storage.tables.errors import Closed, StorageFailed, StoreError
from storage.tables.rows import Ack, Batch
from storage.tables.store import Outcome, Store

log = logging.getLogger(__name__)
GROUP_SECONDS = 0.002
GROUP_BYTES = 1 << 20
SEAL_ROWS = 1_000_000
SEAL_AFTER = 60_000_000  # microseconds by the store's clock
RETRY_AFTER = 5_000_000

Answer = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Append:
    """A batch to store."""

    batch: Batch
    answer: Answer


@dataclass(frozen=True, slots=True)
class Seal:
    """A wish to seal now; answered with an error, or with an acknowledgement of nothing."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of the thread, after sealing if `seal`. Answered as Seal is."""

    answer: Answer
    seal: bool = True


Item = Append | Seal | Stop


class Writer:
    """The thread and its queue. `flush` is called after each group's answers have been given."""

    def __init__(self, store: Store, flush: Callable[[], None]) -> None:
        self._store = store
        self._flush = flush
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._seal_at: int | None = None  # by the store's clock; None while there is nothing to seal
        self._not_before = 0  # after a failure, no sealing before this
        self._plan_sealing()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="muster-tables", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand something to the thread. Raises Closed."""
        with self._gate:
            if self._closed:
                raise Closed("the table store is closed")
            self._closed = isinstance(item, Stop)
            self._queue.put(item)

    def join(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _run(self) -> None:
        item: Item | None = None
        while not isinstance(item, Stop):
            item = item or self._next()
            if isinstance(item, Append):
                item = self._commit(item)
            if isinstance(item, Seal | Stop):
                wanted = isinstance(item, Seal) or item.seal
                item.answer((self._sealed() if wanted else None) or Ack(0, 0))
                self._flush()
                item = item if isinstance(item, Stop) else None
            else:
                self._seal_if_due()

    def _next(self) -> Item | None:
        """What comes next, None when it is time to seal."""
        wait = None if self._seal_at is None else max(0.001, (self._seal_at - self._store.clock()) / 1_000_000)
        try:
            return self._queue.get(timeout=wait)
        except queue.Empty:
            return None

    def _commit(self, first: Append) -> Seal | Stop | None:
        """Store a group that begins with `first`; what came next and is no batch."""
        waiting, after = [first], None
        outcomes: list[Outcome]
        try:
            group = self._store.begin()
            self._store.add(group, first.batch)
            until = time.monotonic() + GROUP_SECONDS
            while group.size < GROUP_BYTES and time.monotonic() < until:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if not isinstance(item, Append):
                    after = item
                    break
                waiting.append(item)
                self._store.add(group, item.batch)
            outcomes = self._store.finish(group)
        except Exception as error:
            log.exception("storing a group of batches failed")
            self._store.broken = f"an error of the program; open the folder anew ({error!r})"
            outcomes = [StorageFailed(self._store.broken) for _ in waiting]
        self._plan_sealing()
        for item, outcome in zip(waiting, outcomes, strict=True):
            item.answer(outcome)
        self._flush()
        return after

    def _plan_sealing(self) -> None:
        if self._seal_at is None and self._store.state.dirty and not self._store.broken:
            self._seal_at = self._store.clock() + SEAL_AFTER

    def _seal_if_due(self) -> None:
        now = self._store.clock()
        full = self._store.state.tail.rows >= SEAL_ROWS and now >= self._not_before
        if self._seal_at is not None and (now >= self._seal_at or full):
            self._sealed()

    def _sealed(self) -> StoreError | None:
        """Seal; what speaks against it, which will be tried again."""
        self._seal_at = None
        try:
            self._store.seal()
            return None
        except StoreError as error:
            log.warning("not sealed: %s", error)
            told = error
        except Exception as error:
            log.exception("sealing failed")
            told = StorageFailed(f"sealing failed ({error!r})")
        if not self._store.broken:
            self._seal_at = self._not_before = self._store.clock() + RETRY_AFTER
        return told
