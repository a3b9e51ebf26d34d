"""Sealing: what was cut from memory, and is in the journals, becomes sealed files named by a new manifest.

In: a cut and the manifest it follows, which nobody replaces meanwhile; the state itself may go on. Out: the next
manifest, valid on disk. Invariant: until the manifest is replaced nothing that counts has changed, and a failure leaves
only files of no account; the journals go after the manifest that does without them is durable, never before. Days past
a table's retention leave here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.compute as pc
from msgspec.structs import replace

from storage.tables.days import DAY, day_name
from storage.tables.errors import SegmentCorrupt, Unsure
from storage.tables.files import Files, discard
from storage.tables.journal import journal_numbers, journal_path
from storage.tables.manifest import DailyFile, DayFile, Manifest, Sealed, Segment, write_manifest
from storage.tables.marks import SourceMarks, encode
from storage.tables.objects import Saved
from storage.tables.schema import Schemas, TableSchema, typed
from storage.tables.sealed import read_arrow, write_bytes, write_frame
from storage.tables.state import Cut
from storage.tables.tail import TailPart

log = logging.getLogger(__name__)
MERGE_AT = 8  # segments of one table, day and tier become one
_TIERS = (4_096, 32_768, 262_144)  # rows; a segment of the last size or above stays as it is
ORDERED_ROWS = 65_536  # from which on one device's rows are found faster if they lie together
_PIECE = 65_536  # rows
SEGMENTS, OBJECTS, LAKE, ROLLUPS = "segments", "objects", "lake", "rollups"


@dataclass(slots=True)
class Sealing:
    """One sealing under way: what it wrote so far, and the number of the next file."""

    files: Files
    folder: Path
    schemas: Schemas
    next_file: int
    written: list[str] = field(default_factory=list)
    ordered_rows: int = ORDERED_ROWS

    def name(self, folder: str, stem: str, suffix: str) -> str:
        """A file name that was never used before, noted before it is made so that a failure can remove it."""
        name = f"{folder}/{stem}-{self.next_file:08}.{suffix}"
        self.next_file += 1
        self.written.append(name)
        return name

    def segment(self, table: str, day: int, frames: Iterable[pl.DataFrame], sealed_at: int) -> Segment:
        """Seal rows of one table and day; `sealed_at` is when the first of them were."""
        schema = self.schemas[table]
        frame = pl.concat([typed(frame, schema) for frame in frames], how="diagonal", rechunk=True)
        ordered = frame.height >= self.ordered_rows
        frame = _in_order_of(frame, order_of(schema, frame.columns)) if ordered else frame
        file = self.name(SEGMENTS, f"{table}-{day_name(day)}", "arrow")
        sealed = write_frame(self.files, self.folder, file, frame)
        times = frame[schema.time]
        rows = frame["@row"]
        first, last, low, high = (_whole(value) for value in (times.min(), times.max(), rows.min(), rows.max()))
        return Segment(
            sealed.file, table, day, sealed.rows, sealed.bytes, sealed.sha256, first, last, low, high, sealed_at,
            ordered,
        )  # fmt: skip

    def undo(self, keep: Set[str] = frozenset()) -> None:
        """Remove what was written, but for what is to stay."""
        for name in self.written:
            if name not in keep:
                discard(self.files, self.folder / name)


def seal(
    files: Files, folder: Path, schemas: Schemas, cut: Cut, manifest: Manifest, journal: int, now: int
) -> tuple[Manifest, bool]:
    """Write what was cut to sealed files and make the manifest that names them valid; whether it is also durable, and
    the journals it does without are gone: else the caller syncs the folder before it removes anything. `journal` is the
    first journal file of what came after the cut. Raises OSError, SegmentCorrupt, Unsure."""
    work = Sealing(files, folder, schemas, manifest.next_file)
    try:
        kept = [item for item in manifest.segments if not expired(schemas, item.table, item.day, now)]
        fresh = list(_seal_rows(work, cut, now))
        segments = _merge(work, kept + fresh)
        objects = dict(manifest.objects) | {name: _seal_objects(work, name, held) for name, held in cut.objects.items()}
        marks = manifest.marks if cut.marks is None else _seal_marks(work, cut.marks)
        days, dailies = _kept(schemas, manifest, now)
        gone = {item.table for item in manifest.days if item not in days}
        lake = manifest.lake | dict.fromkeys(gone, manifest.number + 1)
        result = replace(
            manifest, number=manifest.number + 1, sealed=now, next_row=cut.next_row, next_file=work.next_file,
            journal=journal, segments=segments, objects=objects, marks=marks, days=days, dailies=dailies, lake=lake,
        )  # fmt: skip
        files.sync_folder(folder / SEGMENTS)
        files.sync_folder(folder / OBJECTS)
        write_manifest(files, folder, result)
    except Unsure:
        raise  # whichever manifest is valid finds its files
    except BaseException:
        work.undo()
        raise
    work.undo(keep=result.files())  # what was sealed and at once merged
    return result, _is_durable(files, folder, journal)


def _is_durable(files: Files, folder: Path, journal: int) -> bool:
    """Whether a manifest is known to be on disk. Then the journals before its own leave: they are long, and to remove
    them takes a while too."""
    try:
        files.sync_folder(folder)
    except OSError as error:
        log.warning("the manifest is not yet on disk: %s", error)
        return False
    for number in journal_numbers(folder):
        if number < journal:
            discard(files, journal_path(folder, number))
    return True


def order_of(schema: TableSchema, held: Collection[str]) -> list[str]:
    """What rows that lie together are sorted by, of the columns that they have."""
    return [name for name in ("@device", schema.time, "@row") if name in held]


def _in_order_of(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Rows sorted by keys, nulls first: by Arrow and piece by piece. Polars would sort all at once with all of its
    threads, for which each acknowledgement and each query would wait meanwhile."""
    sorted_by = [(key, "ascending", "at_start") for key in keys]
    order = pl.Series(pc.sort_indices(frame.select(keys).to_arrow(), sort_keys=sorted_by))
    pieces = [order.slice(at, _PIECE) for at in range(0, frame.height, _PIECE)]
    return pl.concat([pl.DataFrame([column.gather(piece) for column in frame]) for piece in pieces], rechunk=False)


def expired(schemas: Schemas, table: str, day: int, now: int) -> bool:
    """Whether all rows of a day are older than the table keeps them."""
    schema = schemas.get(table)
    days = schema.table.retention_days if schema else None
    return days is not None and _older(day, days, now)


def _older(day: int, days: int, now: int) -> bool:
    return (day + 1) * DAY <= now - days * DAY


def _kept(schemas: Schemas, manifest: Manifest, now: int) -> tuple[list[DayFile], list[DailyFile]]:
    """The compacted days that are kept as they are, and those of which daily rows are."""
    days: list[DayFile] = []
    dailies = [item for item in manifest.dailies if not expired(schemas, item.table, item.day, now)]
    for item in manifest.days:
        schema, daily = schemas.get(item.table), item.rollups.get("daily")
        most = None if schema is None else schema.rows_days
        if expired(schemas, item.table, item.day, now):
            continue
        if daily is None or most is None or not _older(item.day, most, now):
            days.append(item)
        else:
            dailies.append(DailyFile(daily.file, item.table, item.day, daily.rows, daily.bytes, daily.sha256))
    return days, dailies


def _seal_rows(work: Sealing, cut: Cut, now: int) -> Iterator[Segment]:
    for (table, day), parts in cut.days.items():
        if not expired(work.schemas, table, day, now):
            yield work.segment(table, day, [part.frame for part in _in_order(parts)], now)


def _in_order(parts: list[TailPart]) -> list[TailPart]:
    return sorted(parts, key=lambda part: _whole(part.frame["@row"].min()))


def _merge(work: Sealing, segments: list[Segment]) -> list[Segment]:
    """Many small segments of a day become one, so that a day of sealing every minute leaves a few files."""
    result: list[Segment] = []
    for (table, day, tier), group in groupby(sorted(segments, key=_place), key=lambda item: _place(item)[:3]):
        alike = list(group)
        if tier == len(_TIERS) or len(alike) < MERGE_AT or work.schemas.get(table) is None:
            result += alike
            continue
        try:
            frames = [_frame(read_arrow(work.folder, item.file, item.sha256)) for item in alike]
        except SegmentCorrupt as error:
            log.error("segments of a day are not merged: %s", error)
            result += alike
            continue
        result.append(work.segment(table, day, frames, min(item.sealed for item in alike)))
    return result


def _place(segment: Segment) -> tuple[str, int, int, int]:
    tier = sum(segment.rows >= size for size in _TIERS)
    return segment.table, segment.day, tier, segment.first_row


def _frame(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _seal_objects(work: Sealing, name: str, held: Saved) -> Sealed:
    return write_frame(work.files, work.folder, work.name(OBJECTS, name, "arrow"), _frame(held.arrow()))


def _seal_marks(work: Sealing, marks: Mapping[str, SourceMarks]) -> Sealed:
    return write_bytes(work.files, work.folder, work.name(OBJECTS, "marks", "json"), encode(marks))


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a number that is {value!r}")
    return value
