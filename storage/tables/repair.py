"""Repairing a folder that no store holds: what can be made again is, what cannot be is told, and only what somebody
gives up by name leaves the store.

In: a folder; files that are given up. Out: a sentence for everything that was done. Invariants: nothing that holds rows
is removed: what is given up moves to `quarantine`; rows that are whole are never touched; a repair that was killed is
done by the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from nql.catalog.model import Catalog
from storage.tables.compact import Compacted, Task
from storage.tables.delta import listed
from storage.tables.errors import SegmentCorrupt
from storage.tables.hot import CACHE, belongs_to, is_sound
from storage.tables.manifest import DayFile, Manifest, Segment, read_manifest
from storage.tables.recover import QUARANTINE
from storage.tables.seal import LAKE
from storage.tables.sealed import check
from storage.tables.store import Store


def repair(folder: Path, catalog: Catalog, clock: Callable[[], int], give_up: Collection[str] = ()) -> Iterator[str]:
    """Repair what can be. `give_up` names damaged files of rows, as they are told, that shall leave the store. Raises
    LockHeld, Corrupt where the store cannot be opened at all, StorageFailed, OSError, ValueError for a file that cannot
    be given up."""
    manifest = read_manifest(folder)
    if manifest is None:
        return
    for name in give_up:
        _may_be_given_up(folder, manifest, name)
    yield from _logs(folder, manifest)
    orphans = sum(1 for _ in _orphans(folder, manifest))
    store = Store(folder, catalog, zone=None, clock=clock)
    try:
        if orphans:
            yield f"{orphans} files that nothing names are removed"
        for name in sorted(give_up):
            yield _given_up(store, name)
        yield from _rollups(store)
        yield from _cache(folder, store.manifest)
    finally:
        store.abandon()


def _may_be_given_up(folder: Path, manifest: Manifest, name: str) -> None:
    rows: dict[str, Segment | DayFile] = {item.file: item for item in manifest.segments}
    rows |= {item.file: item for item in manifest.days}
    if name not in rows:
        raise ValueError(f"{name} is no file of rows that the store names")
    if _is_whole(folder, rows[name]):
        raise ValueError(f"{name} is as it was written; it is not given up")


def _is_whole(folder: Path, item: Segment | DayFile) -> bool:
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
        os.link(store.folder / name, kept)
        store.files.sync_folder(kept.parent)
        store.files.sync_folder(store.folder)
    store.flip(Compacted(task, ()))
    where = f"; what is left of it is {kept.relative_to(store.folder)}" if kept.exists() else ""
    return f"{held.holding(name)} are given up{where}"


def _rollups(store: Store) -> Iterator[str]:
    """Days with damaged states are written anew, which makes their states."""
    for day in list(store.manifest.days):
        for rollup in day.rollups.values():
            try:
                check(store.folder, rollup.file, rollup.sha256)
            except SegmentCorrupt:
                if store.schemas.get(day.table) is not None and _is_whole(store.folder, day):
                    again = replace(store.compaction(), rollup_rows=0)  # it had some, however few its rows
                    store.flip(again.run(Task(day.table, day.day, (), (day,))))
                    yield f"the states of {store.manifest.holding(day.file) or day.table} are made again"
                break


def _cache(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Hot columns that are damaged, or of files that are gone."""
    known, gone = {item.sha256 for item in manifest.days}, 0
    for path in (folder / CACHE).glob("*.arrow"):
        if belongs_to(path) not in known or not is_sound(path):
            path.unlink(missing_ok=True)
            gone += 1
    if gone:
        yield f"{gone} files of the cache are removed; they are made again when they are wanted"


def _logs(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Delta logs that other engines would read wrong go; the store makes them again when it opens."""
    for table in manifest.lake:
        try:
            wrong = listed(folder, table) - {item.file for item in manifest.days if item.table == table}
        except SegmentCorrupt:
            wrong = {table}
        if wrong:
            shutil.rmtree(folder / LAKE / table / "_delta_log")
            yield f"the Delta log of {table} is made again"


def _orphans(folder: Path, manifest: Manifest) -> Iterator[Path]:
    named = manifest.files()
    for pattern in ("segments/*", "objects/*", "rollups/*", f"{LAKE}/*/day=*/*"):
        for path in folder.glob(pattern):
            if path.relative_to(folder).as_posix() not in named:
                yield path
