"""Erasing objects: what was said of a device or a person leaves every file of the tables.

In: the object tables; ids that are to go, and words that name them. Out: what goes with them, and the days to write
anew. Invariants: an id stays a number that nobody sees and is never given again; rows of an erased device go, and what
an erased person said; a link of other rows to what is erased becomes null, a word that names it ERASED; the manifest
names what is being erased until no file has any of it, so that a kill only delays it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from storage.naming import Naming, together
from storage.tables.compact import Compaction, Task
from storage.tables.files import discard
from storage.tables.lake import here
from storage.tables.manifest import DailyFile, DayFile, Manifest, Segment
from storage.tables.objects import ObjectTable
from storage.tables.schema import Schemas, TableSchema
from storage.tables.sealed import check
from storage.tables.texts import any_word

Gone = Mapping[str, Sequence[int]]  # ids by object table


def reach(objects: Mapping[str, ObjectTable], table: str, row: int | None, words: Naming) -> dict[str, list[int]]:
    """What goes with an object: all whose keys name it, by a link or in words, and theirs."""
    first = {name: set(held.named_by(words)) for name, held in objects.items() if words and name != table}
    gone = first = {name: rows for name, rows in first.items() if rows} | ({} if row is None else {table: {row}})
    while True:
        keyed = {name: set(held.keyed_by({t: sorted(r) for t, r in gone.items()})) for name, held in objects.items()}
        keyed.pop(table, None)
        more = {name: rows | first.get(name, set()) for name, rows in keyed.items() if rows or name in first}
        if first | more == gone:
            return {name: sorted(rows) for name, rows in gone.items()}
        gone = first | more


def columns_of(schema: TableSchema, gone: Gone) -> dict[str, list[int]]:
    """The link columns of a table that may lead to what is gone."""
    return {column: list(gone[target]) for column, target in schema.links.items() if target in gone}


def tasks(manifest: Manifest, schemas: Schemas) -> Iterator[Task]:
    """The days that may hold something of what is being erased, each as a task to write it anew without."""
    places: dict[tuple[str, int], tuple[list[Segment], list[DayFile], list[DailyFile]]] = {}
    for segment in manifest.segments:
        places.setdefault((segment.table, segment.day), ([], [], []))[0].append(segment)
    for day in manifest.days:
        places.setdefault((day.table, day.day), ([], [], []))[1].append(day)
    for daily in manifest.dailies:
        places.setdefault((daily.table, daily.day), ([], [], []))[2].append(daily)
    for (table, number), (segments, days, dailies) in sorted(places.items()):
        schema = schemas.get(table)
        if schema is not None:
            erased, words = columns_of(schema, manifest.erasing), together(manifest.words)
            if erased or words:
                yield Task(table, number, tuple(segments), tuple(days), tuple(dailies), erased, words)


def touched(by: Compaction, task: Task) -> Task | None:
    """A task with only the files that hold something of what is being erased; None if there are none. Raises
    SegmentCorrupt, LakeAway."""

    def holds(item: Segment | DayFile | DailyFile) -> bool:
        brought = here(by.folder, item.file, item.sha256)
        check(by.folder, item.file, item.sha256)
        found = _holds(by, item.file, task)
        if brought and not found:  # else looking at all that is in a lake would fill the disk
            discard(by.files, by.folder / item.file)
        return found

    segments = tuple(item for item in task.segments if holds(item))
    days = tuple(item for item in task.days if holds(item))
    dailies = tuple(item for item in task.dailies if holds(item))
    if not (segments or days or dailies):
        return None
    return Task(task.table, task.day, segments, days, dailies, task.erased, task.words)


def _holds(by: Compaction, file: str, task: Task) -> bool:
    folder, erased = by.folder, task.erased
    scan = (
        pl.scan_parquet(folder / file, glob=False, hive_partitioning=False)
        if file.endswith(".parquet")
        else pl.scan_ipc(folder / file, glob=False)
    )
    held = scan.collect_schema().names()
    leads = [pl.col(column).is_in(list(ids)) for column, ids in erased.items() if column in held]
    if leads and scan.filter(pl.any_horizontal(leads)).head(1).collect().height > 0:
        return True
    return any_word(scan, by.schemas[task.table], task.words)
