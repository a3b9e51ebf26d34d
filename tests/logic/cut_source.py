"""Tables cut into parts with states beside them, as a `Source` for tests: what storage keeps, made by plain code.

In: a source that holds rows, the instance zone, and a seed. Out: the same rows as `engine.source.Laid` tells them: a
tail and segments in any order, days sorted by device, and states of some spans of time; and texts told apart.
Invariant: where rows lie, which spans have states and which texts are told is drawn from the seed, and no answer may
depend on it. All parts claim to be large, so that an engine follows them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from zlib import crc32
from zoneinfo import ZoneInfo

import polars as pl

from engine.source import CODE, Around, Grain, Part, Rollup, Source
from nql.catalog.model import Catalog, StoredColumn
from nql.datatypes import NUMERIC

DAY = 86_400_000_000
QUARTER = 900_000_000
MANY = 10**9
STATES = {None: ("sum", "count", "min", "max"), "sum": ("sum", "count"), "count": ("sum", "count")}
STATES |= {"min": ("min", "count"), "max": ("max", "count")}


@dataclass(frozen=True, slots=True)
class Extent:
    """How many rows there are, at most."""

    rows: int


@dataclass(frozen=True, slots=True)
class Texts:
    """The different texts of a column."""

    texts: pl.Series
    folded: pl.Series
    apart: bool


class CutSource(Around):
    """The rows of another source, in parts."""

    def __init__(self, base: Source, catalog: Catalog, zone: str, seed: int) -> None:
        super().__init__(base)
        self._catalog = catalog
        self._zone = ZoneInfo(zone)
        self._seed = seed

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """See `engine.source.Source.scan`."""
        plain = [*dict.fromkeys(name.removesuffix(CODE) for name in columns)]
        rows = super().scan(table, plain, start=start, end=end, daily=daily)
        coded = {name: self.texts(table, name.removesuffix(CODE)) for name in columns if name.endswith(CODE)}
        places = {
            name: pl.col(name.removesuffix(CODE)).replace_strict(
                {text: at for at, text in enumerate([] if found is None else found.texts)},
                default=None, return_dtype=pl.Int64(),
            )
            for name, found in coded.items()
        }  # fmt: skip
        return rows.select(places[name].alias(name) if name in places else name for name in columns)

    def texts(self, table: str, column: str) -> Texts | None:
        """See `engine.source.Telling.texts`; some columns are not told."""
        if crc32(column.encode()) % 4 == self._seed % 4:
            return None
        values = {str(text) for text in self.base.scan(table, [column]).collect()[column].drop_nulls()}
        known = pl.DataFrame({"text": [*values]}, schema={"text": pl.String}).with_columns(
            pl.col("text").str.to_lowercase().alias("folded")
        )
        known = known.sort("folded", "text")
        return Texts(known["text"], known["folded"], known["folded"].n_unique() == known.height)

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        """See `engine.source.Laid.parts`."""
        chance, rows, by_time = self._chance(table), self._rows(table, None, None), self._time(table)
        inside = self._rows(table, start, end)["@row"]
        ways = (4, 3, 2, 1)[self._seed % 4]  # tables without a tail, without segments, and in sorted days alone
        lies = pl.Series([chance.randrange(ways) for _ in range(self._height(table))], dtype=pl.Int64)
        rows = rows.with_columns(lies.gather(rows["@row"].rank("dense") - 1).alias("@lies")) if rows.height else rows
        every = rows.with_columns((pl.col(by_time) // DAY).alias("@day"))
        rows = every.filter(pl.col("@row").is_in(inside.implode()))
        loose, found = [rows.clear()], list[Part]()
        for (day,), here in sorted(rows.group_by("@day"), key=lambda item: -int(str(item[0][0]))):
            compacted = pl.lit(False) if "@device" not in here.columns else pl.col("@lies") < 2
            sealed = pl.col("@lies") == 2
            found.append(_part(here.filter(sealed & ~compacted).sample(fraction=1, shuffle=True, seed=1), columns, day))
            ordered = here.filter(compacted)
            if "@device" in here.columns:
                ordered = ordered.sort("@device", by_time, "@row", nulls_last=False)
            compact = _part(ordered, columns, day, by_device="@device" in here.columns)
            compact = _seen(compact) if self._seed % 2 or chance.random() < 0.6 else compact
            whole = every.filter(compacted & (pl.col("@day") == day))
            found.append(_cut(compact, whole, pl.col(by_time), start, end))
            loose.append(here.filter(~sealed & ~compacted))
        tail = pl.concat(loose).sample(fraction=1, shuffle=True, seed=self._seed)
        return [_part(tail, columns, None), *found]

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        """See `engine.source.Laid.extent`."""
        return Extent(MANY)

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        """See `engine.source.Laid.rollup`."""
        known = {f"{column.name}:{state}" for column in self._numbers(table) for state in STATES[column.metric]}
        known.add("@rows")
        if not known.issuperset(states) or (grain == "device" and "device" not in self._catalog.tables[table].links):
            return None
        frames, covers = list[pl.DataFrame](), list[tuple[int, int]]()
        for first, last in self._spans(table, start, end):
            rows = self._rows(table, first, last).with_columns(
                (pl.col(self._time(table)) // QUARTER * QUARTER).alias("@quarter")
            )
            made = rows.group_by("@device" if grain == "device" else "@quarter").agg(
                pl.len().cast(pl.Int64).alias("@rows"),
                *(_state(column, state) for column in self._numbers(table) for state in STATES[column.metric]),
            )
            frames.append(made)
            covers.append((first, last))
        if not frames:
            return None
        key = "@device" if grain == "device" else "@quarter"
        return Rollup(pl.concat(frames).lazy().select([*dict.fromkeys([key, "@rows", *states])]), tuple(covers))

    def _chance(self, table: str) -> random.Random:
        return random.Random(crc32(table.encode()) + self._seed)

    def _time(self, table: str) -> str:
        return self._catalog.tables[table].time or ""

    def _height(self, table: str) -> int:
        return int(self.base.scan(table, ["@row"]).collect()["@row"].n_unique())

    def _rows(self, table: str, start: int | None, end: int | None) -> pl.DataFrame:
        names = [column.name for column in self._catalog.tables[table].stored()]
        return self.base.scan(table, names, start=start, end=end).collect()

    def _numbers(self, table: str) -> list[StoredColumn]:
        stored = self._catalog.tables[table].stored()
        return [column for column in stored if column.dtype.kind in NUMERIC and not column.name.startswith("@")]

    def _spans(self, table: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Some of the days and parts of days, cut by UTC and by the zone, that lie inside a window."""
        chance = self._chance(table)
        first, last = (datetime.fromtimestamp(at / 1_000_000, UTC).date() for at in (start, end))
        days = [first + timedelta(days=number) for number in range(-1, (last - first).days + 2)]
        cuts = sorted({cut for day in days for cut in (_midnight(day, UTC), _midnight(day, self._zone))})
        for one, other in pairwise(cuts):
            if chance.random() < 0.6 and start <= one and other <= end:
                yield one, other


def _midnight(day: date, zone: tzinfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1_000_000)


def _part(rows: pl.DataFrame, columns: Sequence[str], day: object, *, by_device: bool = False) -> Part:
    return Part(rows.lazy().select(columns), MANY, day if isinstance(day, int) else None, by_device)


def _cut(part: Part, rows: pl.DataFrame, time: pl.Expr, start: int | None, end: int | None) -> Part:
    """The same part with all its rows, counted by device, where a window cuts one end off."""
    late = pl.lit(False) if start is None else time < start
    early = pl.lit(False) if end is None else time >= end
    ends = rows.select(late.any().alias("late"), early.any().alias("early"))
    if part.runs is None or ends["late"].item() == ends["early"].item():
        return part
    rows = rows.sort("@device", time, "@row", nulls_last=False)
    whole = _seen(replace(part, frame=rows.lazy().select(part.frame.collect_schema().names())))
    return replace(whole, frame=part.frame, whole=whole.frame, inside=rows.lazy().select(~(late | early)))


def _seen(part: Part) -> Part:
    """A part of which it is known how many rows each device has, and what numbers are below."""
    rows = part.frame.collect()
    numbers = [
        name for name, dtype in rows.schema.items() if dtype == pl.Int64 and rows[name].null_count() < rows.height
    ]
    bounds = {name: (int(str(rows[name].min())), int(str(rows[name].max()))) for name in numbers}
    counted = part.by_device and "@device" in rows.columns
    runs = rows["@device"].rle().struct.unnest().select(pl.col("value").alias("@device"), "len") if counted else None
    return replace(part, bounds=bounds, runs=runs)


def _state(column: StoredColumn, state: str) -> pl.Expr:
    values = pl.col(column.name)
    made = {"sum": values.sum(), "count": values.count().cast(pl.Int64), "min": values.min(), "max": values.max()}
    return made[state].alias(f"{column.name}:{state}")
