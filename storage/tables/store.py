"""The store without threads: commit a group of batches, seal, give snapshots. One thread writes; snapshots may be taken
in any.

In: batches. Out: for each an acknowledgement or the reason against it. Invariant: prepare, make durable, apply,
acknowledge, in this order; what fails before it is durable leaves no trace. Waiting, grouping and timing are the
business of `storage.tables.writer`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import structs

from nql.catalog.model import Catalog
from storage.naming import Naming
from storage.tables.compact import Compacted, Compaction
from storage.tables.delta import DeltaLogs
from storage.tables.encode import take_back
from storage.tables.erasing import reach
from storage.tables.errors import Corrupt, StorageFailed, StorageFull, StoreError, Unsure, failure
from storage.tables.files import Files, discard
from storage.tables.frames import encode_body
from storage.tables.groups import Group, Outcome, grouped
from storage.tables.journal import Journal, journal_numbers, journal_path
from storage.tables.lock import FolderLock
from storage.tables.manifest import Manifest, write_manifest
from storage.tables.recover import recover
from storage.tables.rows import PORTAL, Ack, Batch
from storage.tables.schema import schemas_of
from storage.tables.seal import seal
from storage.tables.snapshot import Holds, Snapshot
from storage.tables.state import Cut

log = logging.getLogger(__name__)
MOST_UNSEALED = 8_000_000  # rows; beyond, sealing must have failed for long, and memory is at stake

NOTHING = Naming()
Made = tuple[Manifest, bool]  # a manifest that is valid, and whether it is known to be durable


class Store:
    """A folder opened for writing."""

    def __init__(
        self, folder: Path, catalog: Catalog, *, zone: str | None, clock: Callable[[], int], files: Files | None = None
    ) -> None:
        """Open a folder, making it if needed. Raises LockHeld, Corrupt, FormatTooNew, WrongZone, OSError."""
        self.folder = folder
        self.files = files or Files()
        self.clock = clock
        self.schemas = schemas_of(catalog)
        self.files.make_folder(folder)
        self._lock = FolderLock(folder, clock())
        try:
            recovered = recover(self.files, folder, self.schemas, zone, clock())
            self._logs = DeltaLogs(self.files, folder, self.schemas)
            self._logs.follow(recovered.manifest, clock())
        except BaseException:
            self._lock.release()
            raise
        self.manifest, self.state, self.journal = recovered.manifest, recovered.state, recovered.journal
        self.broken: str | None = None
        self._holds = Holds()
        self._leaving: list[tuple[int, str]] = []  # the first manifest without the file, and the file
        self._durable = True  # whether the manifest's name is known to be on disk
        self._last: Snapshot | None = None

    # --- writing --------------------------------------------------------------------------------

    def commit(self, batches: Sequence[Batch]) -> list[Outcome]:
        """Store a group of batches with one fsync."""
        group = self.begin(batches)
        return self.finish(group, self.keep(group))

    def begin(self, batches: Sequence[Batch], after: Group | None = None) -> Group:
        """Encode a group, noting what speaks against one or another. There may be one other, which comes before it and
        is being kept; if that fails, this one must be begun anew."""
        against: StoreError | None = None
        if self.broken:
            against = StorageFailed(self.broken)
        elif self.state.tail.rows > MOST_UNSEALED:
            against = StorageFull("too many rows wait to be sealed")
        return grouped(batches, self.state, against, after)

    def keep(self, group: Group) -> OSError | None:
        """Make a group durable, in any thread, one at a time; what went wrong if it is not. `finish` must follow."""
        try:
            if group.frame.batches:
                self.journal.append(encode_body(group.frame))
        except OSError as error:
            return error
        return None

    def finish(self, group: Group, failed: OSError | None) -> list[Outcome]:
        """Make a durable group visible; of one that failed nothing is, and its acknowledgements become the error."""
        group.after = None
        if failed is not None:
            take_back(self.state.objects, group.first)
            reason = failure(failed)
            log.warning("%s", reason)
            return [reason if isinstance(outcome, Ack) else outcome for outcome in group.outcomes]
        if not group.frame.batches:
            return group.outcomes
        try:
            with self.state.lock:
                self.state.apply([group.frame])
        except Exception as error:
            self.broken = f"a stored batch could not be applied; open the folder anew ({error})"
            log.exception("a stored batch could not be applied")
            return [StorageFailed(self.broken) for _ in group.outcomes]
        return group.outcomes

    # --- sealing --------------------------------------------------------------------------------

    def seal(self) -> None:
        """Move everything in memory to sealed files. Raises StorageFailed or Corrupt; nothing is lost then, and it may
        be tried again."""
        cut = self.cut()
        if cut is None:
            return
        try:
            made = self.write(cut)
        except BaseException:
            self.not_sealed()
            raise
        self.sealed(made)

    def cut(self) -> Cut | None:
        """Set what is in memory apart, to be written beside the appends that come; None where there is nothing. Until
        `sealed` or `not_sealed` there is no other cut, and the manifest stays. Raises StorageFailed."""
        if self.broken:
            raise StorageFailed(self.broken)
        self.tidy()
        if not self.state.dirty:
            return None
        try:
            self.journal.end()
        except OSError as error:
            raise failure(error) from error
        self.journal = Journal(self.files, self.folder, self.journal.number + 1)
        with self.state.lock:
            return self.state.cut()

    def write(self, cut: Cut) -> Made:
        """Make a manifest valid that has what was cut, in any thread. Raises StorageFailed or Corrupt."""
        try:
            return seal(self.files, self.folder, self.schemas, cut, self.manifest, self.journal.number, self.clock())
        except Unsure as error:
            self.broken = error.reason
            raise
        except OSError as error:
            raise failure(error) from error

    def not_sealed(self) -> None:
        """What was cut could not be written: it stays in memory and in the journals, for another cut."""
        with self.state.lock:
            self.state.not_sealed()

    def sealed(self, made: Made) -> None:
        """What was cut is in sealed files now."""
        manifest, durable = made
        self._replace(manifest, sealed=True)
        self._durable = durable
        self.tidy()

    def tidy(self) -> None:
        """Remove files that neither the manifest nor a snapshot needs."""
        if not self._durable:
            try:
                self.files.sync_folder(self.folder)
            except OSError as error:
                log.warning("the manifest is not yet on disk: %s", error)
                return
            self._durable = True
        for number in self._sealed_journals():
            discard(self.files, journal_path(self.folder, number))
        behind = self._logs.follow(self.manifest, self.clock())
        with self.state.lock:
            oldest = self._holds.oldest()
        free = [item for item in self._leaving if oldest is None or oldest >= item[0]]
        free = [item for item in free if not item[1].startswith(behind)]  # it would name them
        self._leaving = [item for item in self._leaving if item not in free]
        for item in free:
            discard(self.files, self.folder / item[1])
            if (self.folder / item[1]).exists():  # another time, or by who opens the folder next
                self._leaving.append(item)

    def close(self) -> None:
        """Seal what can be sealed and let the folder go. What could not be sealed is in the journal."""
        try:
            self.seal()
        except (StorageFailed, Corrupt) as error:
            log.warning("not sealed at close, the journal keeps it: %s", error)
        self.abandon()

    def abandon(self) -> None:
        """Let the folder go as it is."""
        self.journal.close()
        self._lock.release()

    # --- compacting -----------------------------------------------------------------------------

    def compaction(self, stop: Callable[[], bool] = lambda: False) -> Compaction:
        """What compacts days of this folder, in any thread; `flip` makes the result valid."""
        zone = ZoneInfo(self.manifest.zone)
        return Compaction(self.files, self.folder, self.schemas, zone, stop)

    def flip(self, made: Compacted) -> bool:
        """Let compacted files stand for those they were made of; False, and nothing changes, if some of these are not
        valid any more. Raises StorageFailed, after which it may be tried again."""
        if self.broken:
            raise StorageFailed(self.broken)
        before = self.manifest
        gone = {item.file for item in made.task.inputs}
        if not gone <= before.files():
            made.undo(self.files, self.folder)
            return False
        segments = [item for item in before.segments if item.file not in gone]
        days = [item for item in before.days if item.file not in gone]
        dailies = [item for item in before.dailies if item.file not in gone]
        manifest = structs.replace(
            before, number=before.number + 1, segments=segments, days=[*days, *made.days],
            dailies=[*dailies, *made.dailies],
            lake=before.lake | {made.task.table: before.number + 1},
        )  # fmt: skip
        self._put(manifest)
        return True

    def _put(self, manifest: Manifest) -> None:
        """Make a manifest valid beside what is in memory. Raises StorageFailed."""
        try:
            write_manifest(self.files, self.folder, manifest)
        except Unsure as error:
            self.broken = error.reason
            raise
        except OSError as error:
            raise failure(error) from error
        self._replace(manifest)
        self.tidy()

    # --- erasing --------------------------------------------------------------------------------

    def erase(self, table: str, key: str, words: Naming = NOTHING) -> bool:
        """Forget an object and what belongs to it, in memory and in the files of objects, and note that its rows are
        to go, and words that name it; False if there is nothing to look for. Raises StorageFailed, Corrupt."""
        self.seal()
        found = self.state.objects[table].ids.get(key)
        if found is None and not words:
            return False
        gone, before = reach(self.state.objects, table, found, words), self.manifest
        names = {*before.erasing, *gone}
        merged = {name: sorted({*before.erasing.get(name, []), *gone.get(name, [])}) for name in names}
        with self.state.lock:
            for name, held in self.state.objects.items():
                held.erase(gone.get(name, ()), gone)
                held.blank(words)
            self.state.marks.forget(key)
        said = [*before.words, *([words] if words and words not in before.words else [])]
        self.manifest = structs.replace(before, erasing=merged, words=said)
        try:
            if self.state.dirty:
                self.seal()
            else:
                self._put(structs.replace(self.manifest, number=before.number + 1))
        except (StorageFailed, Corrupt):
            self.manifest = before  # memory is ahead of the disk: nothing may follow it in the journal
            self.broken = self.broken or "an erasure could not be stored; open the folder anew"
            raise
        return True

    def erased(self) -> None:
        """No file has anything of what was being erased. Raises StorageFailed."""
        self._put(structs.replace(self.manifest, number=self.manifest.number + 1, erasing={}, words=[]))

    @property
    def erasing(self) -> bool:
        """Whether files may have something of what is being erased."""
        return bool(self.manifest.erasing or self.manifest.words)

    @property
    def leaving(self) -> bool:
        """Whether files that were replaced are still there, as somebody reads them."""
        return bool(self._leaving) or not self._durable or bool(self._sealed_journals())

    def named(self) -> tuple[Manifest, Collection[str]]:
        """The manifest that is valid, and the files of former ones that are still read. In any thread."""
        manifest = self.manifest  # first: what leaves it is noted before it does
        return manifest, {name for _, name in self._leaving}

    def _sealed_journals(self) -> list[int]:
        return [number for number in journal_numbers(self.folder) if number < self.manifest.journal]

    def _replace(self, manifest: Manifest, *, sealed: bool = False) -> None:
        """Go on with a manifest that is valid, though its name may not be on disk yet; `sealed` tells that it has all
        that was in memory."""
        before, self._durable = self.manifest, False
        self._leaving += [(manifest.number, name) for name in sorted(before.files() - manifest.files())]
        with self.state.lock:
            self.manifest = manifest
            if sealed:
                self.state.sealed()
            self.state.version += 1
            self._last = None

    # --- reading --------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything acknowledged so far. Cheap when nothing changed since the last one."""
        with self.state.lock:
            now, last = self.clock(), self._last
            if last is not None and last.version == self.state.version:
                snapshot = replace(last, complete_until=now)
            else:
                snapshot = self._snapshot(now)
            self._holds.add(snapshot)
            self._last = snapshot
            return snapshot

    def _snapshot(self, now: int) -> Snapshot:
        manifest, state = self.manifest, self.state
        objects = {name: table.arrow() for name, table in state.objects.items() if table.rows}
        return Snapshot(
            self.folder,
            manifest.zone,
            manifest.number,
            state.version,
            now,
            tuple(manifest.segments),
            state.tail.parts(),
            objects,
            tuple(manifest.days),
            tuple(manifest.dailies),
            relayed=state.marks.reached(PORTAL),
        )
