"""How fast a query is understood, and what the language costs over the same query written by hand in Polars.

Goals: reading, meaning, resolving and translating six lines under 2 ms (median); a remembered plan under 0.1 ms;
running within 1.05 of the hand-written query over ten million events (`MUSTER_BENCH_ROWS`). Both sides run in turn,
and the median of the ratios is printed: of the time on the clock, and of processor time, which other programs disturb
less.
"""

from __future__ import annotations

import os
import time
from functools import cache, partial
from statistics import median
from typing import Any

import polars as pl
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.by_hand import QUERIES, SIX_LINES, Query
from benchmarks.events import NOW, Frames, frames
from engine.execute import fitting
from engine.lazyframe.relations import translate
from nql.api import Compiler, Context, resolve
from nql.catalog.load import builtin
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import absolute, scans

CONTEXT = Context(NOW, "UTC", "UTC", {})
ROUNDS = 15


@cache
def tables() -> Frames:
    """The measured tables."""
    return frames(int(os.environ.get("MUSTER_BENCH_ROWS", "10000000")))


@cache
def empty() -> Frames:
    """The same tables without an event."""
    held = tables().tables
    return Frames({name: frame.clear() for name, frame in held.items()})


def _understood(source: Frames) -> None:
    translate(planned(SIX_LINES, Compiler()), source)


def planned(text: str, compiler: Compiler) -> ResolvedPlan:
    """The resolved plan of a text."""
    return resolve(compiler.compile(text, builtin()).plan, CONTEXT)


def test_text_to_lazy_frame(benchmark: BenchmarkFixture) -> None:
    source = empty()
    job = partial(_understood, source)
    benchmark.pedantic(job, rounds=300, warmup_rounds=20)  # type: ignore[no-untyped-call]


def test_text_to_plan(benchmark: BenchmarkFixture) -> None:
    catalog = builtin()
    benchmark(lambda: Compiler().compile(SIX_LINES, catalog))


def test_text_to_remembered_plan(benchmark: BenchmarkFixture) -> None:
    compiler = Compiler()
    benchmark(lambda: planned(SIX_LINES, compiler))


def measured(frame: pl.LazyFrame, engine: Any) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    frame.collect(engine=engine)
    return time.perf_counter() - wall, time.process_time() - cpu


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_language_over_hand_written(
    benchmark: BenchmarkFixture, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(query.text, Compiler())
    windows = [window for scan in scans(plan.relation) if (window := absolute(scan)) is not None]
    inside = pl.col("start_time").is_between(windows[0].start, windows[0].end, closed="left")
    by_hand = query.written(tables(), tables()["execution.events"].filter(inside))
    by_plan, engine = translate(plan, tables()), fitting(plan)
    ours, theirs = by_plan.collect(engine=engine), by_hand.collect(engine=engine)
    assert ours.equals(theirs.rename(dict(zip(theirs.columns, ours.columns, strict=True))))
    times: dict[str, list[tuple[float, float]]] = {"plan": [], "hand": []}

    def both() -> None:
        order = [("plan", by_plan), ("hand", by_hand)]
        for name, frame in order if len(times["plan"]) % 2 else order[::-1]:
            times[name].append(measured(frame, engine))

    benchmark.pedantic(both, rounds=ROUNDS, iterations=1)  # type: ignore[no-untyped-call]
    pairs = list(zip(times["plan"], times["hand"], strict=True))
    wall, cpu = (median(ours[at] / theirs[at] for ours, theirs in pairs) for at in (0, 1))
    benchmark.extra_info.update(ratio=wall, processor_ratio=cpu)
    with capsys.disabled():
        print(f"\n{query.name}: {wall:.3f} of the hand-written query's time, {cpu:.3f} of its processor time")
