"""Erasing objects: what was said of a device or a person leaves every file of the tables.

In: the object tables; ids that are to go. Out: what goes with them, and the days to write anew. Invariants: an id stays
a number that nobody sees and is never given again; rows of an erased device go, a link of other rows to what is erased
becomes null; the manifest names what is being erased until no file has any of it, so that a kill only delays it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from storage.tables.compact import Compaction, Task
from storage.tables.manifest import DailyFile, DayFile, Manifest, Segment
from storage.tables.objects import ObjectTable
from storage.tables.schema import Schemas, TableSchema
from storage.tables.sealed import check

Gone = Mapping[str, Sequence[int]]  # ids by object table


def reach(objects: Mapping[str, ObjectTable], table: str, row: int) -> dict[str, list[int]]:
    """What goes with an object: all whose keys name it, and theirs."""
    gone = {table: [row]}
    while True:
        more = {name: rows for name, held in objects.items() if (rows := held.keyed_by(gone)) and name != table}
        if {table: [row], **more} == gone:
            return gone
        gone = {table: [row], **more}


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
        erased = {} if schema is None else columns_of(schema, manifest.erasing)
        if erased:
            yield Task(table, number, tuple(segments), tuple(days), tuple(dailies), erased)


def touched(by: Compaction, task: Task) -> Task | None:
    """A task with only the files that hold something of what is being erased; None if there are none. Raises
    SegmentCorrupt."""

    def holds(item: Segment | DayFile | DailyFile) -> bool:
        check(by.folder, item.file, item.sha256)
        return _holds(by.folder, item.file, task.erased)

    segments = tuple(item for item in task.segments if holds(item))
    days = tuple(item for item in task.days if holds(item))
    dailies = tuple(item for item in task.dailies if holds(item))
    if not (segments or days or dailies):
        return None
    return Task(task.table, task.day, segments, days, dailies, task.erased)


def _holds(folder: Path, file: str, erased: Mapping[str, Sequence[int]]) -> bool:
    scan = (
        pl.scan_parquet(folder / file, glob=False, hive_partitioning=False)
        if file.endswith(".parquet")
        else pl.scan_ipc(folder / file, glob=False)
    )
    held = scan.collect_schema().names()
    leads = [pl.col(column).is_in(list(ids)) for column, ids in erased.items() if column in held]
    return bool(leads) and scan.filter(pl.any_horizontal(leads)).head(1).collect().height > 0
