"""Repairing a folder that no store holds: what can be made again is, what cannot be is told, and only what somebody
gives up by name leaves the store.

In: a folder; files that are given up. Out: a sentence for everything that was done. Invariants: nothing that holds rows
is removed: what is given up moves to `quarantine`; rows that are whole are never touched; a repair that was killed is
done by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from nql.catalog.model import Catalog
from storage.tables.compact import Compacted, Task
from storage.tables.delta import published, tells
from storage.tables.errors import JournalCorrupt, SegmentCorrupt
from storage.tables.files import Files, write_whole
from storage.tables.hot import CACHE, belongs_to, is_sound
from storage.tables.journal import journal_numbers, journal_path, read_journal
from storage.tables.lake import here, lake_files, lake_of
from storage.tables.lake_care import elsewhere, lost
from storage.tables.lock import FolderLock
from storage.tables.manifest import DailyFile, DayFile, Manifest, RollupFile, Segment, read_manifest
from storage.tables.recover import QUARANTINE
from storage.tables.seal import LAKE
from storage.tables.sealed import check
from storage.tables.store import Store


def repair(
    folder: Path,
    catalog: Catalog,
    clock: Callable[[], int],
    give_up: Collection[str] = (),
    files: Files | None = None,
) -> Iterator[str]:
    """Repair what can be. `give_up` names damaged files of rows, as they are told, that shall leave the store; of a
    journal that is what follows the damage. Raises LockHeld, Corrupt where the store cannot be opened at all,
    StorageFailed, OSError, ValueError for a file that cannot be given up."""
    manifest, files = read_manifest(folder), files or Files()
    if manifest is None:
        return
    journals = {journal_path(folder, number).name: number for number in journal_numbers(folder)}
    sealed = sorted(set(give_up) - journals.keys())
    damaged = {name: _damage(folder, journals[name]) for name in sorted(journals.keys() & set(give_up))}
    for name in sealed:
        _may_be_given_up(folder, manifest, name)
    lock = FolderLock(folder, clock())
    try:
        yield from _logs(files, folder, manifest)
        for name, offset in damaged.items():
            yield _cut(files, folder, name, offset)
    finally:
        lock.release()
    orphans = sum(1 for _ in _orphans(folder, manifest))
    store = Store(folder, catalog, zone=None, clock=clock, files=files)
    try:
        if orphans:
            yield f"{orphans} files that nothing names are removed"
        for name in sealed:
            yield _given_up(store, name)
        yield from _from_lake(store)
        yield from _rollups(store)
        yield from _cache(files, folder, store.manifest)
    finally:
        store.abandon()


def _damage(folder: Path, number: int) -> int:
    """Where the damage of a journal begins. Raises ValueError if there is none."""
    try:
        for _ in read_journal(Files(), folder, number):
            pass
    except JournalCorrupt as damage:
        return damage.offset
    raise ValueError(f"{journal_path(folder, number).name} is as it was written; it is not given up")


def _cut(files: Files, folder: Path, name: str, offset: int) -> str:
    """Copy a journal to quarantine, durably, then cut it where the damage begins. The copy is named after what it
    holds: if power goes the journal may be cut anywhere, and is copied again beside the first."""
    handle = files.open(folder / name)
    try:
        whole = files.read(handle, files.size(handle), 0)
        kept = folder / QUARANTINE / f"{Path(name).stem}-{sha256(whole).hexdigest()[:8]}.log"
        files.make_folder(kept.parent)
        write_whole(files, kept, whole)
        files.sync_folder(kept.parent)
        files.sync_folder(folder)
        files.truncate(handle, offset)
        files.sync(handle)
    finally:
        files.close(handle)
    return f"{name} ends before its damage now; the whole of it is {kept.relative_to(folder)}"


def _may_be_given_up(folder: Path, manifest: Manifest, name: str) -> None:
    rows: dict[str, Segment | DayFile] = {item.file: item for item in manifest.segments}
    rows |= {item.file: item for item in manifest.days}
    if name not in rows:
        raise ValueError(f"{name} is no file of rows that the store names")
    with suppress(SegmentCorrupt):
        here(folder, name, rows[name].sha256)
    if _is_whole(folder, rows[name]):
        raise ValueError(f"{name} is as it was written; it is not given up")


def _is_whole(folder: Path, item: Segment | DayFile | RollupFile | DailyFile) -> bool:
    try:
        check(folder, item.file, item.sha256)
    except SegmentCorrupt:
        return False
    return True


def _given_up(store: Store, name: str) -> str:
    """Take a file out of the store and keep it for a person to look at."""
    held = store.manifest
    segments = tuple(item for item in held.segments if item.file == name)
    days = tuple(item for item in held.days if item.file == name)
    task = Task((segments or days)[0].table, (segments or days)[0].day, segments, days)
    kept = store.folder / QUARANTINE / name.replace("/", "-")
    store.files.make_folder(kept.parent)
    if (store.folder / name).exists() and not kept.exists():
        store.files.link(store.folder / name, kept)
        store.files.sync_folder(kept.parent)
        store.files.sync_folder(store.folder)
    store.flip(Compacted(task, ()))
    where = f"; what is left of it is {kept.relative_to(store.folder)}" if kept.exists() else ""
    return f"{held.holding(name)} are given up{where}"


def _from_lake(store: Store) -> Iterator[str]:
    """What is damaged here and whole in the lake is brought anew. Raises LakeAway."""
    lake = lake_of(store.folder)
    for name, item in lake_files(store.manifest).items() if lake else ():
        damaged = (store.folder / name).exists() and not _is_whole(store.folder, item)
        if lake and damaged and not lake.verify(name, item.sha256):
            store.files.remove(store.folder / name)
            lake.fetch(name, item.sha256)
            yield f"{name} is brought anew from {lake.place.url}"


def _rollups(store: Store) -> Iterator[str]:
    """Days with damaged states are written anew, which makes their states."""
    away = elsewhere(store.folder, store.manifest) - lost(store.folder, store.manifest)
    for day in list(store.manifest.days):
        for rollup in day.rollups.values():
            if rollup.file in away:
                continue
            try:
                check(store.folder, rollup.file, rollup.sha256)
            except SegmentCorrupt:
                here(store.folder, day.file, day.sha256)
                if store.schemas.get(day.table) is not None and _is_whole(store.folder, day):
                    again = replace(store.compaction(), rollup_rows=0)  # it had some, however few its rows
                    store.flip(again.run(Task(day.table, day.day, (), (day,))))
                    yield f"the states of {store.manifest.holding(day.file) or day.table} are made again"
                break


def _cache(files: Files, folder: Path, manifest: Manifest) -> Iterator[str]:
    """Hot columns that are damaged, or of files that are gone."""
    known, gone = {item.sha256 for item in manifest.days} | {item.sha256 for item in manifest.segments}, 0
    for path in (folder / CACHE).glob("*.arrow"):
        if belongs_to(path) not in known or not is_sound(path):
            files.remove(path)
            gone += 1
    if gone:
        yield f"{gone} files of the cache are removed; they are made again when they are wanted"


def _logs(files: Files, folder: Path, manifest: Manifest) -> Iterator[str]:
    """Delta logs that other engines would read wrong go; the store makes them again when it opens."""
    for table, number in manifest.lake.items():
        days = [item for item in manifest.days if item.table == table]
        try:
            wrong = published(folder, table) >= number and not tells(folder, table, days)
        except SegmentCorrupt:
            wrong = True
        if wrong:
            for path in sorted((folder / LAKE / table / "_delta_log").glob("*"), reverse=True):
                files.remove(path)  # the newest first: what is left is a log that ends sooner
            yield f"the Delta log of {table} is made again"


def _orphans(folder: Path, manifest: Manifest) -> Iterator[Path]:
    named = manifest.files()
    for pattern in ("segments/*", "objects/*", "rollups/*", f"{LAKE}/*/day=*/*"):
        for path in folder.glob(pattern):
            if path.relative_to(folder).as_posix() not in named:
                yield path
