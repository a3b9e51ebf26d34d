"""One instant of the tables for many queries: what several of them read is read once and kept in memory.

In: a source; the scans of queries. Out: the same rows. Invariants: a scan is what the source under it gives; what only
one query reads is passed through and never kept; what is kept has bounds, in rows of one table and over all, and ends
with this object. Made for those who ask many queries at one instant; one query after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from engine.cost import Extent
from engine.source import Grain, Laid, Part, Rollup, Source, laid

SHORT = 48 * 3_600_000_000  # microseconds: of longer windows, whole days may be answered by what was computed before
MOST_ROWS = 4_000_000  # kept, over all tables
Key = tuple[str, int | None, int | None, bool]


class Shared:
    """A source whose scans are kept once they are asked for again."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._asked: Counter[Key] = Counter()
        self._kept: dict[Key, pl.DataFrame | None] = {}  # None: too large
        self._room = MOST_ROWS

    @property
    def base(self) -> Source:
        """The source under it."""
        return self._source

    @property
    def complete_until(self) -> int:
        """As the source under it."""
        return self._source.complete_until

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """As the source under it."""
        kept = self._here((table, start, end, daily), columns)
        if kept is None:
            return self._source.scan(table, columns, start=start, end=end, daily=daily)
        return kept.lazy().select(columns)

    def _here(self, key: Key, columns: Sequence[str]) -> pl.DataFrame | None:
        """The rows, if they are kept, with these columns at least."""
        self._asked[key] += 1
        kept = self._kept.get(key)
        if self._asked[key] < 2 or (key in self._kept and kept is None):
            return None
        missing = [name for name in columns if kept is None or name not in kept.columns]
        if missing or kept is None:
            kept = self._kept[key] = self._read(key, [*(kept.columns if kept is not None else []), *missing], kept)
        return kept

    def _read(self, key: Key, columns: Sequence[str], before: pl.DataFrame | None) -> pl.DataFrame | None:
        # Rows of events come in any order, so that another column is read together with all that is here.
        table, start, end, daily = key
        found = self._source.scan(table, list(dict.fromkeys(columns)), start=start, end=end, daily=daily)
        rows = found.select(pl.len()).collect().item()
        self._room += 0 if before is None else before.height
        if rows > self._room:
            return None
        self._room -= rows
        kept = found.collect()
        return (kept.sort("@device") if "@device" in kept.columns else kept).rechunk()


class SharedLaid(Shared):
    """The same over a source that tells how its rows lie."""

    def __init__(self, source: Laid) -> None:
        super().__init__(source)
        self._laid = source

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        """As the source under it."""
        return self._laid.extent(table, start=start, end=end)

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        """As the source under it; what is kept is one part."""
        if _short(start, end) and (kept := self._here((table, start, end, False), columns)) is not None:
            return [Part(kept.lazy().select(columns), kept.height, None, False)]
        return self._laid.parts(table, columns, start=start, end=end)

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        """As the source under it; nothing for a short window, whose rows are kept."""
        return None if _short(start, end) else self._laid.rollup(table, grain, states, start=start, end=end)


def shared(source: Source) -> Source:
    """A source for many queries at one instant."""
    return SharedLaid(source) if laid(source) else Shared(source)


def _short(start: int | None, end: int | None) -> bool:
    if start is None and end is None:  # objects
        return True
    return start is not None and end is not None and end - start <= SHORT
