"""Percentiles and medians of samples, on both engines, are those of all their values written out one by one."""

from __future__ import annotations

from math import ceil
from random import Random
from statistics import median

import polars as pl
import pytest

from engine.execute import run
from engine.lazyframe.relations import translate
from nql.api import Context, compile_query, resolve
from nql.catalog.load import builtin
from nql.plan.plan import ResolvedPlan
from tests.logic.duck import duck_rows
from tests.logic.memory_source import MemorySource, stored_schema

NOW = 1_731_320_775_000_000
HOUR = 3_600_000_000
TABLE = "device_performance.events"
RANKS = (1, 5, 7, 25, 50, 90, 95, 99)
Sample = tuple[float | None, int | None]


def plan(items: str) -> ResolvedPlan:
    """The plan of a summary of the samples."""
    compiled = compile_query(f"{TABLE} past 24h | summarize {items}", builtin())
    return resolve(compiled.plan, Context(NOW))


def source(samples: list[Sample]) -> MemorySource:
    """Samples with these sums and counts of disk_queue_length."""
    data = {
        "@row": range(len(samples)),
        "start_time": [NOW - HOUR] * len(samples),
        "disk_queue_length.sum": [total for total, _ in samples],
        "disk_queue_length.count": [count for _, count in samples],
    }
    schema = stored_schema(builtin().tables[TABLE])
    full = {name: data.get(name, [None] * len(samples)) for name in schema}
    frames = {TABLE: pl.DataFrame(full, schema=schema)}
    return MemorySource(builtin(), frames, zone="UTC", complete_until=NOW)


def generated(seed: int) -> list[Sample]:
    """Samples of a seed: ties, empty samples, and samples of which nothing is known."""
    chance = Random(seed)
    counts = [chance.choice([None, 0, 1, 1, 2, 3, 17]) for _ in range(chance.randint(0, 25))]
    return [(None if chance.random() < 0.1 else float(chance.randint(-9, 9) * (count or 1)), count) for count in counts]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_percentiles_and_the_median_of_samples(seed: int) -> None:
    samples = generated(seed)
    values = sorted(total / count for total, count in samples if total is not None and count for _ in range(count))
    expected = [values[ceil(rank * len(values) / 100) - 1] if values else None for rank in RANKS]
    expected.append(median(values) if values else None)
    asked = plan(
        ", ".join(f"p_{rank} = disk_queue_length.p{rank:02}()" for rank in RANKS) + ", m = disk_queue_length.median()"
    )
    for frame in (translate(asked, source(samples)).collect(), duck_rows(asked, source(samples))):
        assert list(frame.row(0)) == pytest.approx(expected, nan_ok=False)


def test_a_mean_of_sizes_is_right_where_their_sum_is_beyond_64_bits() -> None:
    huge = 2**62
    data = {"@row": [0, 1, 2], "start_time": [NOW - HOUR] * 3}
    data |= {"free_memory.sum": [huge] * 3, "free_memory.count": [1] * 3}
    schema = stored_schema(builtin().tables[TABLE])
    frame = pl.DataFrame({name: data.get(name, [None] * 3) for name in schema}, schema=schema)
    held = MemorySource(builtin(), {TABLE: frame}, zone="UTC", complete_until=NOW)
    asked = plan("a = free_memory.avg(), s = free_memory.sum()")
    rows = run(asked, held).table.to_pylist()
    assert [(row["a"], row["s"]) for row in rows] == [(float(huge), None)]
    assert duck_rows(asked, held).rows() == [(float(huge), None)]
