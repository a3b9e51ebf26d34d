"""The face of the table store: append a batch and get it acknowledged, take a snapshot and ask it.

In: batches of rows, made from what agents sent by `rows_from_wire`. Out: acknowledgements after fsync, snapshots of
everything acknowledged. Invariant: nothing here shares objects with its callers but plain data, so that a process
boundary fits behind it. One process at a time holds a folder; `SnapshotSource` answers queries over a snapshot and
needs no store.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from nql.catalog.model import Catalog
from storage.naming import Naming
from storage.tables import about
from storage.tables.bucket import Bucket
from storage.tables.clock import system_clock
from storage.tables.committer import Append
from storage.tables.errors import (
    Closed,
    Corrupt,
    FormatTooNew,
    Holder,
    JournalCorrupt,
    LakeAway,
    LockHeld,
    ManifestCorrupt,
    Refused,
    SegmentCorrupt,
    StorageFailed,
    StorageFull,
    StoreError,
    WrongLake,
    WrongZone,
)
from storage.tables.face import NOTHING, Tables
from storage.tables.files import Files, discard
from storage.tables.groups import Outcome
from storage.tables.hot import CACHE, belongs_to
from storage.tables.lake import joined, unfinished
from storage.tables.mirror import BUDGET, LakeState, Mirror
from storage.tables.read import HOT, SnapshotSource
from storage.tables.recover import QUARANTINE
from storage.tables.rows import MAX_ROWS, Ack, Batch, Rows
from storage.tables.scrub import Scrub
from storage.tables.snapshot import Snapshot
from storage.tables.store import Store
from storage.tables.validate import MAX_MESSAGE, check_batch, rows_from_wire
from storage.tables.writer import Compact, Erase, Item, Seal, Stop, Writer

__all__ = [
    "HOT",
    "MAX_MESSAGE",
    "MAX_ROWS",
    "Ack",
    "Batch",
    "Closed",
    "Corrupt",
    "FormatTooNew",
    "Holder",
    "JournalCorrupt",
    "LakeAway",
    "LakeState",
    "LocalTables",
    "LockHeld",
    "ManifestCorrupt",
    "Naming",
    "Refused",
    "Rows",
    "Scrub",
    "SegmentCorrupt",
    "Snapshot",
    "SnapshotSource",
    "StorageFailed",
    "StorageFull",
    "StoreError",
    "Tables",
    "WrongLake",
    "WrongZone",
    "about",
    "check_batch",
    "open_tables",
    "rows_from_wire",
]

LOOKS, LOOK_SECONDS = 100, 0.1  # for files that somebody still reads
MOST_WAITING = 4096  # batches taken and not yet answered; more wait in their callers


async def open_tables(
    folder: Path | str,
    catalog: Catalog,
    *,
    zone: str | None = None,
    clock: Callable[[], int] = system_clock,
    files: Files | None = None,
    lake: str | None = None,
    lake_cache: int = BUDGET,
    bucket: Bucket | None = None,
) -> LocalTables:
    """Open a data folder, making it if needed, and recover what a crash left.

    `zone` is the instance zone, fixed when the folder is made (then UTC if None); None takes the folder's own. `clock`
    gives microseconds UTC. `lake` is the address of the object store that its closed days go to from now on (None: the
    folder's own, or none), of which `lake_cache` bytes stay here; `bucket` answers there, if it is no real one. Raises
    LockHeld, Corrupt, FormatTooNew, WrongZone, WrongLake, LakeAway for a new lake that does not answer, ValueError,
    OSError.
    """
    store = await asyncio.to_thread(Store, Path(folder), catalog, zone=zone, clock=clock, files=files)
    try:
        found = await asyncio.to_thread(joined, store.files, store.folder, lake, bucket)
        mirror = None if found is None else Mirror(found, store.files, store.named, clock, lake_cache)
    except BaseException:
        store.abandon()
        raise
    return LocalTables(store, mirror)


class LocalTables(Tables):
    """An open store of this process. Its methods may be called from any task of any event loop."""

    def __init__(self, store: Store, mirror: Mirror | None = None) -> None:
        self._store = store
        self._mirror = mirror
        self._answers = _Answers()
        self._writer = Writer(store, self._answers.flush)
        self._room = asyncio.Semaphore(MOST_WAITING)
        if mirror is not None:
            mirror.start()

    @property
    def zone(self) -> str:
        return self._store.manifest.zone

    @property
    def lake(self) -> LakeState | None:
        return None if self._mirror is None else self._mirror.state

    async def append(self, batch: Batch) -> Ack:
        async with self._room:
            return await self._ask(lambda answer: Append(batch, answer))

    async def snapshot(self) -> Snapshot:
        return await asyncio.to_thread(self._store.snapshot)

    async def seal(self) -> None:
        await self._ask(Seal)

    async def compact(self, until: int | None = None) -> None:
        await self._ask(lambda answer: Compact(answer, until))

    async def erase(self, table: str, key: str, words: Naming = NOTHING) -> bool:
        await self._ask(lambda answer: Erase(answer, table, key, words))
        return await self.erased()

    async def erased(self) -> bool:
        for _ in range(LOOKS):
            await self._ask(Seal)
            if self._mirror is not None:
                self._mirror.wake()
            if not self._store.leaving and (self._mirror is None or await asyncio.to_thread(self._mirror.clean)):
                break
            await asyncio.sleep(LOOK_SECONDS)
        aside = await asyncio.to_thread(self._discard_beside)
        if self._mirror is not None and not self._mirror.clean():
            self._mirror.check()
            aside = True
        return not (aside or self._store.leaving)

    def _discard_beside(self) -> bool:
        """Remove what lies beside the files that count; whether some of it is still there."""
        folder, manifest = self._store.folder, self._store.manifest
        keep = {item.sha256 for item in manifest.days} | {item.sha256 for item in manifest.segments}
        HOT.forget(folder, keep)
        for path in (folder / QUARANTINE).glob("*"):
            discard(self._store.files, path)
        left = unfinished(folder)  # they may be of former files
        left += [path for path in (folder / CACHE).glob("*") if belongs_to(path) not in keep]
        return bool(left) or any((folder / QUARANTINE).glob("*"))

    async def close(self) -> None:
        """Answer what is waiting, seal, and let the folder go. Closing twice does nothing."""
        try:
            await self._ask(Stop)
        except Closed:
            return
        except StoreError:
            pass  # the journal keeps what could not be sealed
        await asyncio.to_thread(self._writer.join)
        if self._mirror is not None:
            await asyncio.to_thread(self._mirror.close)
        self._store.abandon()

    def abandon(self) -> None:
        """Let the folder go as it is, as a crash would, after answering what is waiting: the next opening recovers
        from the journal.
        """
        try:
            self._writer.put(Stop(lambda _: None, seal=False))
        except Closed:
            return
        self._writer.join()
        if self._mirror is not None:
            self._mirror.close()
        self._store.abandon()

    async def _ask(self, item: Callable[[Callable[[Outcome], None]], Item]) -> Ack:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Ack] = loop.create_future()
        self._writer.put(item(lambda outcome: self._answers.add(loop, future, outcome)))
        return await future


class _Answers:
    """Answers on their way from the writer's thread to event loops: one wake-up a loop and group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Ack], Outcome]]] = {}

    def add(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Ack], outcome: Outcome) -> None:
        """Note an answer."""
        with self._lock:
            self._waiting.setdefault(loop, []).append((future, outcome))

    def flush(self) -> None:
        """Send all noted answers."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for loop, answers in waiting.items():
            try:
                loop.call_soon_threadsafe(_answer, answers)
            except RuntimeError:
                continue  # the loop is closed: nobody waits any more


def _answer(answers: list[tuple[asyncio.Future[Ack], Outcome]]) -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, Ack):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
