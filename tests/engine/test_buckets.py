"""Runs of a period say the same as its edges."""

import bisect

import polars as pl
import pytest

from engine.buckets import Run, runs
from engine.lazyframe.relations import _bucket
from nql.plan.windows import Buckets

HOUR = 3_600_000_000
CHANGE = Buckets((0, 24 * HOUR, 49 * HOUR, 73 * HOUR, 97 * HOUR))


def test_equal_steps_are_one_run() -> None:
    assert runs(Buckets((5, 8, 11, 14))) == (Run(0, 5, 3),)


def test_a_change_of_clocks_makes_three_runs() -> None:
    assert runs(CHANGE) == (
        Run(0, 0, 24 * HOUR),
        Run(1, 24 * HOUR, 25 * HOUR),
        Run(2, 49 * HOUR, 24 * HOUR),
    )


def test_no_bucket_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        runs(Buckets((5,)))


def test_arithmetic_finds_the_bucket_that_searching_finds() -> None:
    times = [edge + shift for edge in CHANGE.edges for shift in (-1, 0, 1)]
    inside = [time for time in times if CHANGE.edges[0] <= time < CHANGE.edges[-1]]
    found = pl.DataFrame({"time": inside}).select(_bucket(pl.col("time"), runs(CHANGE))).to_series().to_list()
    assert found == [bisect.bisect_right(CHANGE.edges, time) - 1 for time in inside]
