"""The thread that compacts days beside the one that writes, large ones through a process.

In: days to compact, given one list at a time. Out: for each the files that stand for it, handed to the writer, which
alone makes them valid; then what came of all. Invariant: it holds a snapshot as long as it reads the files of it, and
when it was asked to stop it ends after the step it is at, leaving no file that nobody knows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from storage.tables.compact import Compacted, Stopped, Task
from storage.tables.erasing import touched
from storage.tables.errors import Closed, StorageFailed, StoreError, failure
from storage.tables.snapshot import Snapshot
from storage.tables.store import Store
from storage.tables.worker import Worker, can_do

log = logging.getLogger(__name__)
ALONE = 100_000  # rows of a day from which on it is worth a process


class Compactor:
    """One run at a time. `flip` is given what was made, `ended` the first error or None; both are called by its
    thread, and `flip` may raise Closed."""

    def __init__(
        self, store: Store, flip: Callable[[Compacted], None], ended: Callable[[StoreError | None], None]
    ) -> None:
        self._store = store
        self._flip = flip
        self._ended = ended
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, snapshot: Snapshot, tasks: Sequence[Task]) -> None:
        """Compact days of a snapshot. There must be no run under way."""
        self._thread = threading.Thread(
            target=self._run, args=([snapshot], tasks), name="muster-compaction", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End soon: the run under way is given up."""
        self._stop.set()

    def join(self) -> None:
        """Wait until nothing of it runs."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, held: list[Snapshot], tasks: Sequence[Task]) -> None:
        worker = Worker()
        told: StoreError | None = None
        try:
            for task in tasks:
                told = self._do(worker, task) or told
        except Stopped:
            pass
        finally:
            worker.close()
        held.clear()  # what was replaced may go
        self._ended(told)

    def _do(self, worker: Worker, task: Task) -> StoreError | None:
        """Compact one day and hand it on; what speaks against it. Raises Stopped."""
        store = self._store
        by = store.compaction(self._stop.is_set)
        try:
            if task.lessens:
                less = touched(by, task)
                if less is None:
                    return None
                task = less
            alone = task.rows >= ALONE and can_do(store.files, store.schemas.catalog)
            made = worker.run(by, task) if alone else by.run(task)
        except Stopped:
            raise
        except OSError as error:
            return failure(error)
        except StoreError as error:
            log.error("%s of day %d is not compacted: %s", task.table, task.day, error)
            return error
        except Exception as error:
            log.exception("compaction failed")
            return StorageFailed(f"compaction failed ({error!r})")
        try:
            self._flip(made)
        except Closed:
            made.undo(store.files, store.folder)
            raise Stopped from None
        return None
