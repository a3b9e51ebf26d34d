"""The tests' own tables in parts: they are the rows, each once, and their states are those of the rows."""

import polars as pl
import pytest

from tests.logic.cut_source import CutSource
from tests.logic.memory_source import MemorySource
from tests.properties.tables import CATALOG, NOW, TOP, ZONE, source

TABLE = "execution.events"
WEEK = 7 * 24 * 3_600_000_000
COLUMNS = ["@row", "@device", "start_time", "cpu_time"]


def cut(seed: int) -> tuple[MemorySource, CutSource]:
    rows = source(seed % 3)
    return rows, CutSource(rows, CATALOG, ZONE, seed)


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_are_the_rows_each_once(seed: int) -> None:
    rows, parts = cut(seed)
    found = parts.parts(TABLE, COLUMNS, start=TOP - WEEK, end=TOP)
    whole = rows.scan(TABLE, COLUMNS, start=TOP - WEEK, end=TOP).collect().sort("@row")
    assert pl.concat([part.frame for part in found]).collect().sort("@row").equals(whole)
    assert sum(part.by_device and part.frame.collect().height > 0 for part in found) > 1


@pytest.mark.parametrize("seed", range(5))
def test_a_part_is_what_it_claims(seed: int) -> None:
    for part in cut(seed)[1].parts(TABLE, COLUMNS):
        frame = part.frame.collect()
        days = (frame["start_time"] // 86_400_000_000).unique().to_list()
        assert part.day is None or days in ([], [part.day])
        if part.by_device:
            assert frame.equals(frame.sort("@device", "start_time", "@row", nulls_last=False))


def test_rows_that_a_window_cuts_are_told_too() -> None:
    told = 0
    for start in range(TOP - WEEK // 2, TOP, WEEK // 28):
        for part in cut(3)[1].parts(TABLE, COLUMNS, start=start, end=TOP):
            if part.whole is not None and part.inside is not None and part.runs is not None:
                rows, told = part.whole.collect(), told + 1
                assert rows.filter(part.inside.collect().to_series()).equals(part.frame.collect())
                assert part.runs["len"].sum() == rows.height > part.frame.collect().height
    assert told


@pytest.mark.parametrize("grain", ["device", "quarter"])
def test_states_are_those_of_the_rows_that_they_cover(grain: str) -> None:
    rows, parts = cut(2)
    found = parts.rollup(TABLE, grain, ["cpu_time:sum", "cpu_time:count"], start=NOW - WEEK, end=TOP)  # type: ignore[arg-type]
    assert found is not None
    assert len(found.covers) > 1
    inside = [rows.scan(TABLE, COLUMNS, start=start, end=end) for start, end in found.covers]
    covered = pl.concat(inside).collect()
    assert 0 < covered.height < rows.scan(TABLE, COLUMNS).collect().height
    states = found.frame.sum().collect()
    assert states["@rows"].item() == covered.height
    assert states["cpu_time:count"].item() == covered["cpu_time"].count()
    assert states["cpu_time:sum"].item() == covered["cpu_time"].sum()


def test_states_that_are_not_kept_are_none() -> None:
    assert cut(1)[1].rollup(TABLE, "device", ["cpu_time:max"], start=NOW - WEEK, end=TOP) is None
