"""Many queries at one instant read what they share once, and get what each would get alone.

Comes in: a source that notes what is read. Goes out: rows. Invariant: rows and columns are those of the source.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from engine.cost import Cost, Extent
from engine.source import Part, Rollup, laid
from portal.queries import sharing
from portal.queries.sharing import shared

HOUR = 3_600_000_000
ROWS = pl.DataFrame({"@device": [0, 1, 2, 1], "time": [1, 2, 3, 4], "crashes": [5, 6, 7, 8]})


class Plain:
    """A source of one table."""

    complete_until = 7

    def __init__(self) -> None:
        self.read: list[tuple[str, ...]] = []

    def scan(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:  # fmt: skip
        self.read.append(tuple(columns))
        if table != "events":
            raise KeyError(table)
        inside = pl.lit(True) if start is None or end is None else pl.col("time").is_between(start, end, closed="left")
        return ROWS.lazy().filter(inside).select(columns)


class Known(Plain):
    """One that tells how its rows lie."""

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        return Cost(ROWS.height, 0)

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        return [Part(self.scan(table, columns, start=start, end=end), ROWS.height, 0, True)]

    def rollup(self, table: str, grain: str, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        return Rollup(pl.LazyFrame(), ((start, end),))


def test_what_is_asked_again_is_read_once_and_stays_what_it_is() -> None:
    plain = Plain()
    source = shared(plain)
    assert not laid(source)
    assert source.complete_until == 7
    for columns in (["crashes"], ["crashes", "@device"], ["@device"], ["time", "crashes"], ["time"], []):
        for window in ({"start": 1, "end": 4}, {}):
            for _ in range(3):
                found = source.scan("events", columns, **window).collect()  # type: ignore[arg-type]
                expected = Plain().scan("events", columns, **window).collect()  # type: ignore[arg-type]
                assert found.columns == expected.columns
                assert sorted(found.rows()) == sorted(expected.rows())
    read = len(plain.read)
    source.scan("events", ["time", "@device", "crashes"], start=1, end=4).collect()
    assert len(plain.read) == read
    with pytest.raises(KeyError):
        source.scan("nothing", ["time"])


def test_what_is_too_large_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST_ROWS", 3)
    plain = Plain()
    source = shared(plain)
    for _ in range(3):
        assert source.scan("events", ["crashes"]).collect().height == 4
    for _ in range(3):
        assert source.scan("events", ["crashes"], start=1, end=3).collect().height == 2
    whole, some = [read for read in plain.read if read == ("crashes",)], source.scan("events", ["crashes"]).collect()
    assert len(whole) > 3
    assert some.height == 4


def test_rows_of_short_windows_are_one_part_and_long_ones_keep_their_states() -> None:
    source = shared(Known())
    assert laid(source)
    for _ in range(2):
        parts = source.parts("events", ["crashes"], start=1, end=4)
        assert pl.concat([part.frame for part in parts]).collect().rows() == [(5,), (6,), (7,)]
        assert all(part.rows >= 3 for part in parts)
    assert source.extent("events", start=0, end=HOUR).rows == ROWS.height
    assert source.rollup("events", "device", ["crashes:sum"], start=0, end=HOUR) is None
    assert source.rollup("events", "device", ["crashes:sum"], start=0, end=72 * HOUR) is not None
    for _ in range(3):
        assert source.parts("events", ["crashes"], start=0, end=72 * HOUR)[0].day == 0
