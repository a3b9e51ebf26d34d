"""The one thread that writes: it groups what is waiting, stores it with one fsync, and answers; when it is time it has
all sealed beside it, and days compacted, and lets count what came of that.

In: batches from any thread, each with a way to answer. Out: answers, in the order of arrival. Invariants: every batch
that was taken is answered exactly once, whatever happens; while something is being sealed only batches are taken, and
all else waits in order, so that nobody replaces the manifest meanwhile. Grouping costs nobody time: a group is what
came while the former one was encoded and written, up to some thousand rows.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from storage.naming import Naming
from storage.tables.committer import GROUP_ROWS, Answer, Append, Committer, cost
from storage.tables.compact import Compacted, tasks
from storage.tables.compactor import Compactor
from storage.tables.erasing import tasks as erasures
from storage.tables.errors import Closed, StorageFailed, StoreError
from storage.tables.rows import Ack
from storage.tables.sealer import Sealing, Told
from storage.tables.state import Cut
from storage.tables.store import Store

log = logging.getLogger(__name__)
SEAL_ROWS = 1_000_000
SEAL_AFTER = 60_000_000  # microseconds by the store's clock
RETRY_AFTER = 5_000_000
COMPACT_EVERY = 600_000_000  # looking for days to compact; also after a failure


@dataclass(frozen=True, slots=True)
class Seal:
    """A wish to seal now; answered with an error, or with an acknowledgement of nothing."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of the thread, after sealing if `seal`. Answered as Seal is."""

    answer: Answer
    seal: bool = True


@dataclass(frozen=True, slots=True)
class Compact:
    """A wish to compact all days that end at or before `until`, by default now; answered as Seal is."""

    answer: Answer
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Erase:
    """A wish to erase an object; answered as Seal is, when no valid file has anything of it."""

    answer: Answer
    table: str
    key: str
    words: Naming


@dataclass(frozen=True, slots=True)
class Flip:
    """A day that was compacted, to become valid."""

    made: Compacted


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a compaction, with the first error of it."""

    error: StoreError | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """The end of the sealing under way."""


Item = Append | Seal | Stop | Compact | Erase | Flip | Ended | Sealed


class Writer:
    """The thread and its queue. `flush` is called after each group's answers have been given."""

    def __init__(self, store: Store, flush: Callable[[], None]) -> None:
        self._store = store
        self._flush = flush
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._seal_at: int | None = None  # by the store's clock; None while there is nothing to seal
        self._not_before = 0  # after a failure, no sealing before this
        self._sealing: Sealing | None = None
        self._committer = Committer(store, self._told)
        self._later: deque[Item] = deque()  # what came while something was being sealed
        self._plan_sealing()
        self._compactor = Compactor(store, lambda made: self.put(Flip(made)), self._compacted)
        self._compact_at = store.clock() + COMPACT_EVERY
        self._compacting = False
        self._wishes: list[Compact] = []
        self._wished: Compact | None = None  # for whom compaction is under way
        self._erasures: list[Erase] = []  # not begun
        self._begun: list[Erase] = []
        self._erase_at: int | None = 0  # looking for rows of what is erased; None while there is none
        self._flips: int | None = None  # of the erasure that is under way
        self._failed: StoreError | None = None  # why something of it did not become valid
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
        """Wait for the thread to end, and for compaction."""
        self._thread.join()
        self._compactor.join()

    def _run(self) -> None:
        item: Item | None = None
        while not isinstance(item, Stop):
            item = item or self._next()
            if isinstance(item, Append):
                item = self._commit(item)
            if isinstance(item, Stop):
                break
            if item is not None:
                self._do(item)
            item = None
            self._seal_if_due()
            self._erase_if_due()
            self._compact_if_due()
            self._flush()
        self._stop(item)

    def _do(self, item: Item) -> None:
        self._committer.land()
        if self._sealing is not None and not isinstance(item, Sealed):
            self._later.append(item)
            return
        match item:
            case Sealed():
                self._end_sealing()
            case Seal(answer):
                self._begin_sealing(lambda told: answer(told or Ack(0, 0)))
            case Compact():
                self._wishes.append(item)
            case Erase():
                self._erasures.append(item)
            case Flip(made):
                self._make_valid(made)
            case Ended(error):
                self._end(error)

    def _stop(self, item: Stop) -> None:
        """The last thing done: compaction is given up, what waits for it is told, and all is sealed if wanted."""
        self._committer.land()
        self._compactor.stop()
        self._end_sealing()
        while self._later:
            self._do(self._later.popleft())
            self._end_sealing()
        wishes: list[Erase | Compact] = [*self._erasures, *self._begun, *self._wishes]
        for wish in [*wishes, *([self._wished] if self._wished else [])]:
            wish.answer(Closed("the table store is closed"))
        if item.seal:
            self._begin_sealing(lambda told: item.answer(told or Ack(0, 0)))
            self._end_sealing()
        else:
            item.answer(Ack(0, 0))
        self._committer.close()
        self._flush()

    def _next(self) -> Item | None:
        """What comes next, None when it is time to seal or to compact."""
        if self._later and self._sealing is None:
            return self._later.popleft()
        if self._committer.under_way:
            try:
                return self._queue.get_nowait()
            except queue.Empty:
                self._committer.land()
        times = [self._seal_at, *(() if self._compacting else (self._compact_at, self._erase_at))]
        first = min((at for at in times if at is not None and self._sealing is None), default=None)
        wait = None if first is None else max(0.001, (first - self._store.clock()) / 1_000_000)
        try:
            return self._queue.get(timeout=wait)
        except queue.Empty:
            return None

    def _commit(self, first: Append) -> Item | None:
        """Store a group that begins with `first`; what came next and is no batch."""
        waiting, after, size = [first], None, cost(first)
        while size < GROUP_ROWS:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, Append):
                after = item
                break
            waiting.append(item)
            size += cost(item)
        self._committer.commit(waiting, more=after is None and not self._queue.empty())
        return after

    def _told(self) -> None:
        """A group was answered."""
        self._plan_sealing()
        self._flush()

    def _plan_sealing(self) -> None:
        if self._seal_at is None and self._store.state.dirty and not self._store.broken:
            self._seal_at = self._store.clock() + SEAL_AFTER

    # --- sealing --------------------------------------------------------------------------------

    def _seal_if_due(self) -> None:
        if self._sealing is not None:
            return
        now = self._store.clock()
        full = self._store.state.tail.rows >= SEAL_ROWS and now >= self._not_before
        if self._seal_at is not None and (now >= self._seal_at or full):
            self._begin_sealing(lambda _: None)

    def _begin_sealing(self, then: Told) -> None:
        """Have everything in memory sealed, and tell `then` when it is, or what speaks against it: it will be tried
        again then. There must be no sealing under way."""
        self._committer.land()
        self._seal_at = None
        cut: Cut | StoreError | None
        try:
            cut = self._store.cut()
        except StoreError as error:
            cut = error
        except Exception as error:
            log.exception("sealing failed")
            cut = StorageFailed(f"sealing failed ({error!r})")
        if isinstance(cut, Cut):
            self._sealing = Sealing(self._store, cut, then, lambda: self._queue.put(Sealed()))
            self._sealing.start()
        else:
            self._told_sealed(cut, then)

    def _end_sealing(self) -> None:
        """Wait for the sealing under way, and let what it made count."""
        sealing, self._sealing = self._sealing, None
        if sealing is None:
            return
        sealing.join()
        told = sealing.made if isinstance(sealing.made, StoreError) else None
        try:
            if isinstance(sealing.made, StoreError):
                self._store.not_sealed()
            else:
                self._store.sealed(sealing.made)
        except Exception as error:
            log.exception("what was sealed cannot be gone on with")
            self._store.broken = f"an error of the program; open the folder anew ({error!r})"
            told = StorageFailed(self._store.broken)
        self._told_sealed(told, sealing.then)

    def _told_sealed(self, told: StoreError | None, then: Told) -> None:
        if told:
            log.warning("not sealed: %s", told)
            if not self._store.broken:
                self._seal_at = self._not_before = self._store.clock() + RETRY_AFTER
        then(told)

    # --- erasing --------------------------------------------------------------------------------

    def _erase_if_due(self) -> None:
        """Begin what is asked for, and go on with what is not done, also by a former process."""
        if self._compacting or self._sealing is not None:
            return
        while self._erasures:
            self._committer.land()
            wish = self._erasures.pop(0)
            try:
                self._store.erase(wish.table, wish.key, wish.words)
                self._begun.append(wish)
                self._erase_at = self._store.clock()
            except StoreError as error:
                wish.answer(error)
        if self._erase_at is None or self._store.clock() < self._erase_at:
            return
        self._erase_at = None
        if self._store.erasing and not self._store.broken:
            self._compacting, self._failed, self._flips = True, None, 0
            self._compactor.start(self._store.snapshot(), list(erasures(self._store.manifest, self._store.schemas)))
        else:
            self._answer_begun(None)

    def _looked(self, error: StoreError | None) -> None:
        """All files were looked at: it is done when nothing was found any more, else there is another look."""
        flips, self._flips = self._flips, None
        try:
            if not error and not flips:
                self._store.erased()
        except StoreError as failed:
            error = failed
        self._erase_at = self._store.clock() + (RETRY_AFTER if error else 0)
        if error:
            self._answer_begun(error)

    def _answer_begun(self, error: StoreError | None) -> None:
        begun, self._begun = self._begun, []
        for wish in begun:
            wish.answer(error or Ack(0, 0))

    # --- compacting -----------------------------------------------------------------------------

    def _compact_if_due(self) -> None:
        now = self._store.clock()
        if self._compacting or self._sealing is not None or not (self._wishes or now >= self._compact_at):
            return
        self._compact_at = now + COMPACT_EVERY
        if self._wishes:
            wish = self._wishes.pop(0)
            self._begin_sealing(lambda told: self._compact(wish, told))
        else:
            self._compact(None, None)

    def _compact(self, wish: Compact | None, told: StoreError | None) -> None:
        """Have days compacted, for a wish after all was sealed for it."""
        if self._store.broken or told:
            if wish:
                wish.answer(told or StorageFailed(self._store.broken or ""))
            return
        snapshot, now = self._store.snapshot(), self._store.clock()
        until = None if wish is None else now if wish.until is None else wish.until
        found = list(tasks(snapshot, self._store.schemas, now, until))
        if found:
            self._compacting, self._wished, self._failed = True, wish, None
            self._compactor.start(snapshot, found)
        elif wish:
            wish.answer(Ack(0, 0))

    def _make_valid(self, made: Compacted) -> None:
        """Let compacted files count; if that fails they go, and will be made again."""
        try:
            self._store.flip(made)
            if self._flips is not None:
                self._flips += 1
            return
        except StoreError as error:
            log.warning("a compacted day does not become valid: %s", error)
            self._failed = error
        except Exception as error:
            log.exception("a compacted day does not become valid")
            self._failed = StorageFailed(f"a compacted day does not become valid ({error!r})")
        if not self._store.broken:
            made.undo(self._store.files, self._store.folder)

    def _compacted(self, error: StoreError | None) -> None:
        with contextlib.suppress(Closed):
            self.put(Ended(error))

    def _end(self, error: StoreError | None) -> None:
        wish, self._wished, self._compacting = self._wished, None, False
        self._store.tidy()
        if self._flips is not None:
            self._looked(error or self._failed)
        if wish:
            wish.answer(error or self._failed or Ack(0, 0))
