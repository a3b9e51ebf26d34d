"""The thread that seals what was cut, beside the one that writes.

In: a cut. Out: a manifest that has it, valid on disk, or what speaks against it. Invariant: it changes nothing in
memory; the writer, which alone lets it count, waits for its end before it cuts again or replaces the manifest.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from storage.tables.errors import StorageFailed, StoreError
from storage.tables.state import Cut
from storage.tables.store import Made, Store

log = logging.getLogger(__name__)
Told = Callable[[StoreError | None], None]


class Sealing(threading.Thread):
    """One sealing. `then` is for who waits for it: told when it counts, or why it does not; `ended` is called by the
    thread, at its end."""

    def __init__(self, store: Store, cut: Cut, then: Told, ended: Callable[[], None]) -> None:
        super().__init__(name="muster-sealing", daemon=True)
        self.then = then
        self.made: Made | StoreError = StorageFailed("sealing was given up")
        self._store = store
        self._cut = cut
        self._ended = ended

    def run(self) -> None:
        """Write, and say that it is over."""
        try:
            self.made = self._store.write(self._cut)
        except StoreError as error:
            self.made = error
        except Exception as error:
            log.exception("sealing failed")
            self.made = StorageFailed(f"sealing failed ({error!r})")
        finally:
            self._ended()
