"""Compaction: the segments of a day, and what was compacted of it before, become Parquet sorted by device and time,
with states of its rows beside it.

In: a task, which names sealed files that the caller keeps on disk. Out: durable files with digests, named by nothing
yet. Invariant: the rows are those of the inputs, each once; nothing that counts changes here, and a failure leaves no
file. Making the files valid is the store's business. A large day becomes several files, each of a range of devices, so
that memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import polars as pl

from nql.catalog.model import TableKind
from storage.naming import Naming
from storage.tables.daily import bucketed, dimensions, metrics, one_a_day
from storage.tables.days import DAY, day_name
from storage.tables.files import Files, discard
from storage.tables.lake import here
from storage.tables.manifest import DailyFile, DayFile, RollupFile, Segment
from storage.tables.schema import Frame, Schemas, TableSchema, typed
from storage.tables.seal import LAKE, ROLLUPS, order_of
from storage.tables.sealed import check, scanned, write_frame, write_parquet
from storage.tables.snapshot import Snapshot
from storage.tables.states import by_device, by_quarter
from storage.tables.texts import without_words

QUIET = 3_600_000_000  # after a day's end, in microseconds: most of what is late has come
LATE_SHARE = 8  # a day is written again when an eighth of its rows is new,
LATE_AFTER = DAY  # or the first of them has waited so long
MOST_ROWS = 2_000_000  # of one file: about 700 MB while it is made, with 15 columns
MOST_FILES = 16  # of one day: each costs a pass over its segments
ROLLUP_ROWS = 4_096  # a smaller file is answered as fast from its rows
WORTH = 2  # rows that one state must stand for, on average
SAID = frozenset({"agent.conversations", "campaign.responses"})  # what people said goes with them, whatever it links
SAMPLE = 65_536  # rows, of neighbouring devices, that tell it for daily samples


class Stopped(Exception):  # noqa: N818 - named for what happened
    """Compaction was asked to stop."""


@dataclass(frozen=True, slots=True)
class Task:
    """What lies of one day of a table, to be made one."""

    table: str
    day: int
    segments: tuple[Segment, ...]
    days: tuple[DayFile, ...]
    dailies: tuple[DailyFile, ...] = ()
    erased: Mapping[str, Sequence[int]] = field(default_factory=dict)  # ids by link column, to write the day without
    words: Naming | None = None  # and without these, which name them

    @property
    def inputs(self) -> tuple[Segment | DayFile | DailyFile, ...]:
        """All its files."""
        return (*self.segments, *self.days, *self.dailies)

    @property
    def lessens(self) -> bool:
        """Whether something is to be left out."""
        return bool(self.erased or self.words)

    @property
    def rows(self) -> int:
        """All its rows, without daily ones."""
        return sum(item.rows for item in self.segments) + sum(item.rows for item in self.days)


@dataclass(frozen=True, slots=True)
class Compacted:
    """A task that was done, and the files that stand for its own."""

    task: Task
    days: tuple[DayFile, ...]
    dailies: tuple[DailyFile, ...] = ()

    def undo(self, files: Files, folder: Path) -> None:
        """Remove the files: they will not become valid."""
        for day in self.days:
            for name in (day.file, *(item.file for item in day.rollups.values())):
                discard(files, folder / name)
        for daily in self.dailies:
            discard(files, folder / daily.file)


def tasks(snapshot: Snapshot, schemas: Schemas, now: int, until: int | None = None) -> Iterator[Task]:
    """The days to compact, the oldest first: ended, quiet, and with new rows that are worth it. `until` asks for all
    days that end at or before this instant and have new rows. Tables that the catalog does not know stay as they
    are."""
    segments: dict[tuple[int, str], list[Segment]] = {}
    for item in snapshot.segments:
        if schemas.get(item.table) is not None:
            segments.setdefault((item.day, item.table), []).append(item)
    for (day, table), new in sorted(segments.items()):
        if (day + 1) * DAY > (now - QUIET if until is None else until):
            continue
        old = [item for item in snapshot.days if (item.day, item.table) == (day, table)]
        many = sum(item.rows for item in new) * LATE_SHARE >= sum(item.rows for item in old)
        if until is not None or many or min(item.sealed for item in new) + LATE_AFTER <= now:
            yield Task(table, day, tuple(new), tuple(old))


@dataclass(slots=True)
class Compaction:
    """How and where days are compacted. `stop` is asked between steps."""

    files: Files
    folder: Path
    schemas: Schemas
    zone: ZoneInfo
    stop: Callable[[], bool] = lambda: False
    most_rows: int = MOST_ROWS
    rollup_rows: int = ROLLUP_ROWS

    def run(self, task: Task, stem: str | None = None) -> Compacted:
        """Do a task; names of files have a stem that no other run has. Raises OSError, SegmentCorrupt, LakeAway,
        Stopped."""
        return _Run(self, task, self.schemas[task.table], stem or new_stem()).all()


@dataclass(frozen=True, slots=True)
class _Range:
    """Devices from `low` to before `high`, None for no bound, and where they lie in files that are sorted by them."""

    low: int | None
    high: int | None
    places: Mapping[str, Sequence[int]]


@dataclass(slots=True)
class _Run:
    by: Compaction
    task: Task
    schema: TableSchema
    stem: str
    written: list[str] = field(default_factory=list)

    def all(self) -> Compacted:
        for item in self.task.inputs:
            self._go_on()
            here(self.by.folder, item.file, item.sha256)
            check(self.by.folder, item.file, item.sha256)
        try:
            pieces = (rows for rows in self._pieces() if not rows.is_empty())
            days = [self._file(rows, f"{self.stem}-{piece}") for piece, rows in enumerate(pieces)]
            wanted = self._rows_left() if self.task.lessens else self.task.rows
            if sum(day.rows for day in days) != wanted:
                raise RuntimeError(f"{wanted} rows would become {sum(day.rows for day in days)}")
            dailies = [self._less(item, piece) for piece, item in enumerate(self.task.dailies)]
            self._sync()
        except BaseException:
            for name in self.written:
                discard(self.by.files, self.by.folder / name)
            raise
        return Compacted(self.task, tuple(days), tuple(dailies))

    def _pieces(self) -> Iterator[pl.DataFrame]:
        """The rows, sorted, in pieces that fit memory."""
        if not self.task.rows:
            return
        order = order_of(self.schema, self._scan().collect_schema())
        for wanted in self._ranges():
            self._go_on()
            rows = self._scan(wanted).collect(engine="in-memory" if wanted is None else "streaming")
            yield _sorted(rows, order)

    def _ranges(self) -> Sequence[_Range | None]:
        """Ranges of devices with about as many rows each, one None if all rows fit."""
        count = min(MOST_FILES, -(-self.task.rows // self.by.most_rows))
        if count < 2 or "@device" not in self._scan().collect_schema():
            return [None]
        device = pl.col("@device")
        held = self._scan().group_by(device).agg(pl.len()).sort(device).collect()
        place = (pl.col("len").cum_sum() * count // (self.task.rows + 1)).alias("place")
        firsts = held.with_columns(place).drop_nulls(device.meta.output_name()).group_by("place").agg(device.min())
        cuts = sorted(firsts["@device"])[1:]
        if not cuts:
            return [None]
        places = {item.file: self._places(item, cuts) for item in self.task.segments if item.in_order}
        return [
            _Range(low, high, {file: at[piece : piece + 2] for file, at in places.items() if at})
            for piece, (low, high) in enumerate(pairwise([None, *cuts, None]))
        ]

    def _places(self, item: Segment, cuts: Sequence[int]) -> list[int]:
        """Where the devices of each range begin and end in a segment that is sorted by them; empty if it has none."""
        rows = scanned(self.by.folder / item.file)
        if "@device" not in rows.collect_schema():
            return []
        devices = rows.select("@device").collect().to_series()
        named = devices.drop_nulls().set_sorted()
        return [0, *(devices.null_count() + named.search_sorted(cut, "left") for cut in cuts), item.rows]

    def _scan(self, wanted: _Range | None = None) -> pl.LazyFrame:
        """The inputs in order of arrival, each column in the type that the catalog gives it now."""
        segments = sorted(self.task.segments, key=lambda item: item.first_row)
        files = [*(item.file for item in self.task.days), *(item.file for item in segments)]
        scans = {file: scanned(self.by.folder / file) for file in files}
        if wanted is not None:
            scans |= {file: scans[file].slice(first, end - first) for file, (first, end) in wanted.places.items()}
        whole = pl.concat([typed(scan, self.schema) for scan in scans.values()], how="diagonal")
        whole = whole if wanted is None else whole.filter(_within(wanted))
        return without(whole, self.schema, self.task)

    def _rows_left(self) -> int:
        return self._scan().select(pl.len()).collect().item() if self.task.rows else 0

    def _less(self, item: DailyFile, piece: int) -> DailyFile:
        """Daily rows without what is erased."""
        rows = without(pl.scan_ipc(self.by.folder / item.file, glob=False).collect(), self.schema, self.task)
        made = self._rollup(f"{self.stem}-less{piece}", "daily", rows)
        return DailyFile(made.file, item.table, item.day, made.rows, made.bytes, made.sha256)

    def _file(self, rows: pl.DataFrame, stem: str) -> DayFile:
        """Write a piece and what is made of it."""
        by, task, time = self.by, self.task, rows[self.schema.time]
        self._go_on()
        rows = rows.select(name for name in rows.columns if name == "@row" or rows[name].null_count() < rows.height)
        name = self._named(f"{LAKE}/{task.table}/day={day_name(task.day)}/{stem}.parquet")
        by.files.make_folder((by.folder / name).parent)
        sealed = write_parquet(by.files, by.folder, name, rows)
        rollups = dict(self._rollups(rows, stem)) if rows.height >= by.rollup_rows else {}
        bounds = [value for value in (time.min(), time.max()) if isinstance(value, int)]
        return DayFile(
            name, task.table, task.day, sealed.rows, sealed.bytes, sealed.sha256, bounds[0], bounds[1], rollups
        )

    def _rollups(self, rows: pl.DataFrame, stem: str) -> Iterator[tuple[str, RollupFile]]:
        schema, day = self.schema, self.task.day
        if "@device" in rows.columns:
            self._go_on()
            yield "device", self._rollup(stem, "device", *by_device(rows, schema, day, self.by.zone))
        self._go_on()
        yield "quarter", self._rollup(stem, "quarter", *by_quarter(rows, schema))
        if schema.table.kind is TableKind.SAMPLED and bucketed(schema):
            self._go_on()
            if _fewer(self._daily(rows.head(SAMPLE)), min(rows.height, SAMPLE)):
                yield "daily", self._rollup(stem, "daily", self._daily(rows))

    def _daily(self, rows: pl.DataFrame) -> pl.DataFrame:
        told_apart = [name for name in dimensions(self.schema) if name in rows.columns]
        kept = ["@row", self.schema.time, *told_apart, *(name for name in metrics(self.schema) if name in rows.columns)]
        return one_a_day(rows.lazy(), self.schema, kept, told_apart, self.by.zone).collect(engine="in-memory")

    def _rollup(self, stem: str, kind: str, frame: pl.DataFrame, lacks: Iterable[str] = ()) -> RollupFile:
        day = day_name(self.task.day)
        name = self._named(f"{ROLLUPS}/{self.task.table}-{day}-{stem}-{kind}.arrow")
        sealed = write_frame(self.by.files, self.by.folder, name, frame)
        return RollupFile(sealed.file, sealed.rows, sealed.bytes, sealed.sha256, sorted(lacks))

    def _sync(self) -> None:
        """Make the names of the files durable, and those of the folders made for them."""
        place = self.by.folder / LAKE / self.task.table / f"day={day_name(self.task.day)}"
        made = (place, place.parent, place.parent.parent) if place.exists() else ()
        for path in (*made, self.by.folder / ROLLUPS):
            self.by.files.sync_folder(path)

    def _named(self, name: str) -> str:
        self.written.append(name)
        return name

    def _go_on(self) -> None:
        if self.by.stop():
            raise Stopped


def without(rows: Frame, schema: TableSchema, task: Task) -> Frame:
    """Rows without those of devices that are erased and what erased people said, without links to what else is, and
    without words that name it."""
    held = rows.collect_schema().names()
    for column, ids in task.erased.items():
        if column not in held:
            continue
        leads = pl.col(column).is_in(list(ids)).fill_null(value=False)
        if column == "@device" or schema.name in SAID:
            rows = rows.filter(~leads)
        else:
            rows = rows.with_columns(pl.when(leads).then(None).otherwise(pl.col(column)).alias(column))
    return without_words(rows, schema, task.words)


def new_stem() -> str:
    """A part of names that nobody has: a process that lost its store may still be writing."""
    return uuid4().hex[:20]


def _sorted(rows: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Rows in their order. Sorting by device alone takes half as long, and is enough where the rows of each device came
    in order of time."""
    if "@device" in order:
        rows = rows.sort("@device", maintain_order=True)
        wrong = pl.lit(value=False)
        for name in reversed(order):
            here, before = pl.col(name), pl.col(name).shift(1)
            wrong = (here < before).fill_null(value=False) | (here.eq_missing(before) & wrong)
        if not rows.select(wrong.any()).item():
            return rows
    return rows.sort(order)


def _within(wanted: _Range) -> pl.Expr:
    """Devices from `low` to before `high`; those of no device are with the first."""
    device, low, high = pl.col("@device"), wanted.low, wanted.high
    if low is None:
        return device.is_null() | (device < high)
    return device >= low if high is None else (device >= low) & (device < high)


def _fewer(states: pl.DataFrame, rows: int) -> bool:
    """Whether states are so much fewer than the rows they stand for that reading them is worth their room."""
    return states.height * WORTH <= rows
