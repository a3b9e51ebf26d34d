"""The thread that compacts days beside the one that writes.

In: days to compact, given one list at a time. Out: for each the files that stand for it, handed to the writer, which
alone makes them valid; then what came of all. Invariant: it holds a snapshot as long as it reads the files of it, and
when it was asked to stop it ends after the step it is at, leaving no file that nobody knows.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from storage.tables.compact import Compacted, Stopped, Task
from storage.tables.errors import Closed, StoreError, failure
from storage.tables.snapshot import Snapshot
from storage.tables.store import Store

log = logging.getLogger(__name__)


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
        self._thread = threading.Thread(target=self._run, args=(snapshot, tasks), name="muster-compaction", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End soon: the run under way is given up."""
        self._stop.set()

    def join(self) -> None:
        """Wait until nothing of it runs."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, snapshot: Snapshot, tasks: Sequence[Task]) -> None:
        compaction = self._store.compaction(self._stop.is_set)
        told: StoreError | None = None
        for task in tasks:
            try:
                made = compaction.run(task)
            except Stopped:
                break
            except OSError as error:
                told = told or failure(error)
            except StoreError as error:
                log.error("%s of day %d is not compacted: %s", task.table, task.day, error)
                told = told or error
            except Exception as error:
                log.exception("compaction failed")
                told = told or failure(OSError(f"an error of the program ({error!r})"))
            else:
                try:
                    self._flip(made)
                except Closed:
                    made.undo(self._store.files, self._store.folder)
                    break
        del snapshot  # not needed any more, and with it what was replaced
        self._ended(told)
