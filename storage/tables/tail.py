"""Rows that are acknowledged and not sealed yet, in memory, by table and UTC day of their time.

In: small frames, one a batch. Out: few frames a day. Invariant: a frame handed out never changes, so that a snapshot is
a copy of the lists. Neighbours of like size are merged as they come, so n rows are copied about log n times and leave
about log n frames. What is being sealed is set apart, and still there for readers, until it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pyarrow.compute as pc

from storage.tables.days import DAY

_MERGE = 8  # frames of like size become one
_NEVER_MERGED = 32_768  # rows; frames of this size stay as they are: an acknowledgement waits for each merge


@dataclass(frozen=True, slots=True)
class TailPart:
    """Rows of one table and day, with the first and last of their times."""

    table: str
    day: int
    min_time: int
    max_time: int
    frame: pl.DataFrame


Days = dict[tuple[str, int], list[TailPart]]


class Tail:
    """All unsealed event rows."""

    def __init__(self) -> None:
        self._days: Days = {}
        self._apart: Days = {}
        self.rows = 0

    def add(self, table: str, time: str, frame: pl.DataFrame) -> None:
        """Add rows; `time` is the column that tells their day."""
        if frame.height == 0:
            return
        self.rows += frame.height
        times = frame[time]
        first, last = _bounds(times)
        if first // DAY == last // DAY:
            self._push(TailPart(table, first // DAY, first, last, frame))
            return
        days = times // DAY
        for day in pc.unique(days.to_arrow()).to_pylist():
            held = days == day
            rows = pl.DataFrame([column.filter(held) for column in frame])  # see `merged`
            self._push(TailPart(table, day, *_bounds(rows[time]), rows))

    def parts(self) -> tuple[TailPart, ...]:
        """All parts, those of a table and day in order of arrival."""
        return tuple(part for days in (self._apart, self._days) for parts in days.values() for part in parts)

    def set_apart(self) -> Days:
        """The parts of each table and day, which from now on stay as they are; there must be none set apart."""
        if self._apart:
            raise ValueError("some rows are being sealed already")
        self._apart, self._days = self._days, {}
        return self._apart

    def drop_apart(self) -> None:
        """Forget what was set apart: it is sealed."""
        self.rows -= sum(part.frame.height for parts in self._apart.values() for part in parts)
        self._apart = {}

    def take_back(self) -> None:
        """Put what was set apart before what came since: it is not sealed."""
        for key, parts in self._apart.items():
            self._days[key] = parts + self._days.get(key, [])
        self._apart = {}

    def _push(self, part: TailPart) -> None:
        parts = self._days.setdefault((part.table, part.day), [])
        parts.append(part)
        while len(parts) >= _MERGE and _alike(parts[-_MERGE:]):
            parts[-_MERGE:] = [merged(parts[-_MERGE:])]


def _alike(parts: list[TailPart]) -> bool:
    """Whether frames that follow each other are of like size, and not large."""
    sizes = [part.frame.height for part in parts]
    return max(sizes) < min(_MERGE * min(sizes), _NEVER_MERGED)


def merged(parts: list[TailPart]) -> TailPart:
    """The rows of several parts of one table and day in one; columns that some lack are null there."""
    frames = [part.frame for part in parts]
    if all(frame.columns == frames[0].columns for frame in frames):
        # As one series: with frames Polars uses its threads, for which an acknowledgement would wait as long as a query
        # has them.
        frame = pl.concat([held.to_struct() for held in frames], rechunk=True).struct.unnest()
    else:
        frame = pl.concat(frames, how="diagonal", rechunk=True)
    return TailPart(parts[0].table, parts[0].day, min(p.min_time for p in parts), max(p.max_time for p in parts), frame)


def _bounds(times: pl.Series) -> tuple[int, int]:
    return _whole(times.min()), _whole(times.max())


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a time that is {value!r}")
    return value
