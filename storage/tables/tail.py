"""Rows that are acknowledged and not sealed yet, in memory, by table and UTC day of their time.

In: small frames, one a batch. Out: few frames a day. Invariant: a frame handed out never changes, so that a snapshot is
a copy of the lists. Neighbours of like size are merged as they come, so n rows are copied about log n times and leave
about log n frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from storage.tables.days import DAY

_MERGE = 8  # frames of like size become one
_NEVER_MERGED = 262_144  # rows; frames of this size and above stay as they are


@dataclass(frozen=True, slots=True)
class TailPart:
    """Rows of one table and day, with the first and last of their times."""

    table: str
    day: int
    min_time: int
    max_time: int
    frame: pl.DataFrame


class Tail:
    """All unsealed event rows."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, int], list[TailPart]] = {}
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
        for (day,), rows in frame.group_by(times // DAY, maintain_order=True):
            self._push(TailPart(table, _whole(day), *_bounds(rows[time]), rows))

    def parts(self) -> tuple[TailPart, ...]:
        """All parts, those of a table and day in order of arrival."""
        return tuple(part for parts in self._days.values() for part in parts)

    def by_day(self) -> dict[tuple[str, int], list[TailPart]]:
        """The parts of each table and day."""
        return {key: list(parts) for key, parts in self._days.items()}

    def clear(self) -> None:
        """Forget everything: it is sealed."""
        self._days = {}
        self.rows = 0

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
    alike = all(frame.columns == frames[0].columns for frame in frames)
    frame = pl.concat(frames, how="vertical" if alike else "diagonal", rechunk=True)
    return TailPart(parts[0].table, parts[0].day, min(p.min_time for p in parts), max(p.max_time for p in parts), frame)


def _bounds(times: pl.Series) -> tuple[int, int]:
    return _whole(times.min()), _whole(times.max())


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a time that is {value!r}")
    return value
