"""Stored states of a snapshot's rows: what compaction computed once, and beside it the states of the few rows that came
late, put together as one frame; of a large segment, states that were made when they were wanted before.

In: a table's rows, the states wanted, a window. Out: states and the spans they stand for; daily rows. Invariant: a span
that is covered has all its rows in the states, and an answer from them is the answer from the rows; where anything
stands against that (a file without, a column whose sum left 64 bits, many late rows) the span is not covered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from storage.tables.daily import dimensions, one_a_day
from storage.tables.days import DAY, is_day, next_start
from storage.tables.dense import Dense, added, dense
from storage.tables.errors import SegmentCorrupt
from storage.tables.manifest import DailyFile, DayFile, RollupFile, Segment
from storage.tables.parts import Stored, complete, together
from storage.tables.states import (
    FROM,
    QUARTER,
    QUARTER_LENGTH,
    ROWS,
    by_device,
    by_quarter,
    spans,
    state_type,
    states_of,
)

log = logging.getLogger(__name__)
Grain = Literal["device", "quarter"]
Stated = Literal["device", "quarter", "daily"]
Span = tuple[int, int]
Piece = pl.LazyFrame | Dense
MOST_LATE = 262_144  # rows of a day whose states are computed on the way; with more it is read from its rows


@dataclass(frozen=True, slots=True)
class Rollup:
    """States of whole spans of time: the key column, `@rows`, and `<column>:<state>`. `covers` are the spans
    `[start, end)` that they stand for, ascending and disjoint."""

    frame: pl.LazyFrame
    covers: tuple[Span, ...]


def rollup(stored: Stored, grain: Grain, states: Sequence[str], start: int, end: int) -> Rollup | None:
    """The states of the rows in `[start, end)`, as far as they are stored; None where they are not."""
    wanted = _wanted(stored, states)
    if wanted is None or (grain == "device" and "@device" not in stored.schema.columns):
        return None
    question = _Question(stored, grain, wanted, start, end)
    found: list[Piece] = []
    covers: list[Span] = []
    days, large = stored.by_day(start, end), stored.large(start, end)
    for day in sorted({*days, *large}):
        told = question.told(day)
        pieces = question.states_of(days.get(day, ()), large.get(day, ()), day, told) if told else None
        if told and pieces:
            found += pieces
            covers.append(told.covers)
    return Rollup(_put_together(found), _joined(covers)) if found else None


def _put_together(found: Sequence[Piece]) -> pl.LazyFrame:
    """Pieces as one frame: what is dense as one row a device."""
    close = [piece for piece in found if isinstance(piece, Dense)]
    whole = added(close) if close else None
    alone = [piece.sparse() for piece in close] if whole is None else [whole]
    frames = [*(one.lazy() for one in alone), *(piece for piece in found if not isinstance(piece, Dense))]
    return pl.concat(frames, how="vertical")


def stated(stored: Stored, grain: Stated, start: int, end: int) -> int:
    """How many rows the states of `[start, end)`, or the daily rows of days that begin there, and the rows outside of
    them are, by the manifest alone."""
    if grain == "daily":
        return _daily_stated(stored, start, end + DAY)
    question = _Question(stored, grain, {}, start, end)
    rows = stored.not_compacted(start, end)
    for day, items in stored.by_day(start, end).items():
        told = question.told(day)
        made = [item.rollups[grain] for item in items if grain in item.rollups]
        if told is None or len(made) < len(items) or stored.late(day) > MOST_LATE:
            rows += sum(item.rows for item in items)
            continue
        rows += sum(item.rows for item in made)
        if told.covers != (max(start, day * DAY), min(end, (day + 1) * DAY)):
            rows += sum(item.rows for item in items)  # of what the span leaves out
    return rows


def _daily_stated(stored: Stored, start: int, end: int) -> int:
    rows = stored.not_compacted(start, end)
    for item in stored.days(start, end):
        made = item.rollups.get("daily")
        rows += item.rows if made is None else made.rows
    gone = [item for item in stored.snapshot.dailies if item.table == stored.schema.name]
    return rows + sum(item.rows for item in gone if start < (item.day + 1) * DAY and item.day * DAY < end)


def daily(stored: Stored, columns: Sequence[str], start: int | None, end: int | None) -> pl.LazyFrame:
    """The daily rows of days that begin in a window, each made of all its rows: of the daily rows of compacted files,
    and of the other files' rows. Where all of a day are daily rows already, they are taken as they are."""
    schema, zone = stored.schema, ZoneInfo(stored.snapshot.zone)
    first = None if start is None else next_start(start, zone)
    last = None if end is None else next_start(end, zone)
    needed = list(dict.fromkeys(["@row", schema.time, *dimensions(schema), *columns]))
    frames = [part.frame for part in stored.fresh(needed, first, last)]
    whole: list[pl.LazyFrame] = []
    days = stored.by_day(None if first is None else first - DAY, None if last is None else last + DAY)
    gone = [item for item in stored.snapshot.dailies if item.table == schema.name]
    for day in sorted({*days, *(item.day for item in gone)}):
        found = [_daily_of(stored, item, needed, first, last) for item in days.get(day, ())]
        left = [item for item in gone if item.day == day]
        found += [(_daily_rows(stored, i, stored.held(i.file, i.sha256), needed, first, last), True) for i in left]
        alone = not left or len(found) == 1  # files that were left behind at different times may share devices
        if alone and all(made for _, made in found) and is_day(day, zone) and not stored.late(day):
            whole += [_of_day(frame, columns, day) for frame, _ in found]
        else:
            frames += [frame for frame, _ in found]
    if frames or not whole:
        whole.append(one_a_day(together(frames, schema, needed), schema, columns, dimensions(schema), zone))
    return together(whole, schema, columns)


def _daily_of(
    stored: Stored, item: DayFile, columns: Sequence[str], first: int | None, last: int | None
) -> tuple[pl.LazyFrame, bool]:
    """The daily rows of a compacted file, or its rows if there are none; and which."""
    made = item.rollups.get("daily")
    held = None if made is None else _held(stored, made)
    if made is None or held is None:
        return stored.day(item, columns, first, last).frame, False
    return _daily_rows(stored, made, held, columns, first, last), True


def _of_day(rows: pl.LazyFrame, columns: Sequence[str], day: int) -> pl.LazyFrame:
    """Daily rows of a UTC day, which are stored without its end and length."""
    known = {"end_time": (day + 1) * DAY, "bucket_duration": DAY}
    return rows.select(pl.lit(known[name], pl.Int64).alias(name) if name in known else pl.col(name) for name in columns)


def _held(stored: Stored, made: RollupFile) -> Mapping[str, pl.DataType] | None:
    """The columns of a file of states, None if it is damaged: the rows tell the same."""
    try:
        return stored.held(made.file, made.sha256)
    except SegmentCorrupt as damage:
        log.error("stored states are not used: %s", damage)
        return None


def _daily_rows(
    stored: Stored,
    made: RollupFile | DailyFile,
    held: Mapping[str, pl.DataType],
    columns: Sequence[str],
    first: int | None,
    last: int | None,
) -> pl.LazyFrame:
    """Stored daily rows. Their time is the start of their day, which is what windows are cut at."""
    rows, time = pl.scan_ipc(stored.snapshot.folder / made.file, glob=False), pl.col(stored.schema.time)
    rows = rows if first is None else rows.filter(time >= first)
    rows = rows if last is None else rows.filter(time < last)
    return complete(rows, stored.schema, held, columns)


def _wanted(stored: Stored, states: Sequence[str]) -> Mapping[str, pl.DataType] | None:
    """The states with their types, None if one of them is never stored."""
    known = states_of(stored.schema)
    split = [name.rpartition(":")[::2] for name in states if name != ROWS]
    if any(state not in known.get(column, ()) for column, state in split):
        return None
    return {f"{column}:{state}": state_type(stored.schema, column, state) for column, state in split}


@dataclass(frozen=True, slots=True)
class _Told:
    """What states tell of a day: all rows that the window has in `covers` have states in `states`, and no others."""

    covers: Span
    states: Span


@dataclass(frozen=True, slots=True)
class _Question:
    """One question for states."""

    stored: Stored
    grain: Grain
    states: Mapping[str, pl.DataType]
    start: int
    end: int

    @property
    def columns(self) -> list[str]:
        """The columns whose states are wanted."""
        return list(dict.fromkeys(name.rpartition(":")[0] for name in self.states))

    def told(self, day: int) -> _Told | None:
        """What of a day states can tell, and lies in the window as far as there are rows."""
        first, last = self.stored.times(day)
        inside = [span for span in self._spans(day) if self._begins(span[0], first) and self._ends(span[1], last)]
        if not inside:
            return None
        states = (inside[0][0], inside[-1][1])
        covers = max(self.start, states[0]), min(self.end, states[1])
        return _Told(covers, states) if covers[0] < covers[1] else None

    def _spans(self, day: int) -> Sequence[Span]:
        """The spans that the day's states are of, ascending; of quarters the first, those between, and the last."""
        if self.grain == "device":
            return spans(day, ZoneInfo(self.stored.snapshot.zone))
        start, end = day * DAY, (day + 1) * DAY
        cuts = {start, end}
        for at in (self.start // QUARTER_LENGTH * QUARTER_LENGTH, self.end // QUARTER_LENGTH * QUARTER_LENGTH):
            cuts |= {cut for cut in (at, at + QUARTER_LENGTH) if start < cut < end}
        return [*pairwise(sorted(cuts))]

    def _begins(self, at: int, first: int) -> bool:
        """Whether a span from here on has no row before the window, where `first` is the first of all."""
        return self.start <= max(at, first)

    def _ends(self, at: int, last: int) -> bool:
        return at <= self.end or last < self.end

    def states_of(
        self, items: Iterable[DayFile], large: Sequence[Segment], day: int, told: _Told
    ) -> list[Piece] | None:
        """The states of a span of a day, file by file and those of late rows; None if some are not to be had."""
        found: list[Piece] = []
        for item in items:
            made = item.rollups.get(self.grain)
            if made is None or set(made.lacks) & set(self.columns):
                return None
            states = self._at_hand(made, day, told, partial(self._read, item, made))
            if states is None:
                rows = self._read(item, made)
                states = None if rows is None else self._inside(rows, day, told)
            if states is None:
                return None
            found.append(states)
        made_of_rows = [self._at_hand(item, day, told, partial(self._of_segment, item)) for item in large]
        found += [states for states in made_of_rows if states is not None]
        if any(states is None for states in made_of_rows):
            return None
        return self._with_late(found, large, day, told) if self.stored.late(day, large) else found

    def _at_hand(
        self, file: Segment | RollupFile, day: int, told: _Told, made: Callable[[], pl.LazyFrame | None]
    ) -> Piece | None:
        """The states of a file, if they were wanted before."""
        by_device = self.grain == "device"
        zone, cut = self.stored.snapshot.zone, told.states if by_device else None

        def kept() -> pl.DataFrame | Dense | None:
            states = made()
            if states is None or not by_device:
                return None if states is None else states.collect(engine="in-memory")
            frame = self._inside(states, day, told).collect(engine="in-memory")
            return dense(frame) or frame

        states = self.stored.states.states((file.sha256, self.grain, zone, cut, frozenset(self.states.items())), kept)
        if states is None or isinstance(states, Dense):
            return states
        return states.lazy() if by_device else self._inside(states.lazy(), day, told)

    def _read(self, item: DayFile, made: RollupFile) -> pl.LazyFrame | None:
        """The stored states of a file's rows, None if they are damaged or lack a column that rows have."""
        held = _held(self.stored, made)
        if held is None or not self._stand_for(self.stored.held(item.file, item.sha256), held):
            return None
        return self._chosen(pl.scan_ipc(self.stored.snapshot.folder / made.file, glob=False), held)

    def _of_segment(self, segment: Segment) -> pl.LazyFrame | None:
        """The states of the rows of a segment."""
        rows = self.stored.day(segment, self._columns_of_rows, None, None).frame.collect(engine="in-memory")
        return self._of_rows(rows, segment.day)

    @property
    def _columns_of_rows(self) -> list[str]:
        """The columns that states are made of."""
        key = ["@device"] if self.grain == "device" else []
        return list(dict.fromkeys([*key, self.stored.schema.time, *self.columns]))

    def _of_rows(self, rows: pl.DataFrame, day: int) -> pl.LazyFrame | None:
        """The states of rows of a day, None if one is beyond 64 bits. Of devices, rows come in their order."""
        schema = self.stored.schema
        if self.grain == "device":
            states, lacks = by_device(rows, schema, day, ZoneInfo(self.stored.snapshot.zone))
        else:
            states, lacks = by_quarter(rows, schema)
        return None if lacks else self._chosen(states.lazy(), states.schema)

    def _with_late(self, found: list[Piece], large: Sequence[Segment], day: int, told: _Told) -> list[Piece] | None:
        if self.stored.late(day, large) > MOST_LATE:
            return None
        columns = self._columns_of_rows
        parts = [part.frame for part in self.stored.fresh(columns, *told.covers, without=large) if part.day == day]
        rows = together(parts, self.stored.schema, columns).collect()
        if not rows.height:
            return found
        states = self._of_rows(rows.sort("@device") if self.grain == "device" else rows, day)
        return None if states is None else [*found, self._inside(states, day, told)]

    def _inside(self, states: pl.LazyFrame, day: int, told: _Told) -> pl.LazyFrame:
        """The key and the states wanted, of a span alone."""
        if told.states != (day * DAY, (day + 1) * DAY):
            states = states.filter(pl.col(self._place).is_between(*told.states, closed="left"))
        return states if self._place == self._by else states.drop(self._place)

    @property
    def _by(self) -> str:
        return "@device" if self.grain == "device" else QUARTER

    @property
    def _place(self) -> str:
        """What tells which span states are of."""
        return FROM if self.grain == "device" else QUARTER

    def _stand_for(self, rows: Mapping[str, pl.DataType], states: Mapping[str, pl.DataType]) -> bool:
        """Whether states are there of all columns that the rows have."""
        return all(name in states or name.rpartition(":")[0] not in rows for name in self.states)

    def _chosen(self, rows: pl.LazyFrame, held: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """The key, the span and the states wanted; those of a column that no row had are those of no values."""
        keys = dict.fromkeys([self._by, ROWS, self._place])
        return rows.select(*keys, *(_state(name, dtype, held.get(name)) for name, dtype in self.states.items()))


def _state(name: str, wanted: pl.DataType, held: pl.DataType | None) -> pl.Expr:
    if held is None:
        return pl.lit(0 if name.endswith((":sum", ":count")) else None, dtype=wanted).alias(name)
    return pl.col(name) if held == wanted else pl.col(name).cast(wanted)


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Ascending spans, those that touch each other as one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
