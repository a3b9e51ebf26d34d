"""The shapes over a hundredth of the estate, each beside Polars by hand and DuckDB, as ratios.

In: the estate of scale 0.01 (`MUSTER_BENCH_SCALE`), made once. Out: what each question costs through the query
language, and part of what the same costs the peers in the same process, by turns. The whole measurement, with every
peer and the store at work, is `python -m benchmarks.shapes`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.shapes import clock, sides
from benchmarks.shapes.estate import of_scale
from benchmarks.shapes.fingerprint import fingerprint
from benchmarks.shapes.shapes import SHAPES, Shape
from benchmarks.shapes.sides import SIDES, Side
from benchmarks.shapes.whole import make

ROUNDS = 9
ASKED = ("muster-rollups", "polars-ids", "duckdb-time")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    data: Path = tmp_path_factory.mktemp("shapes")
    estate = of_scale(float(os.environ.get("MUSTER_BENCH_SCALE", "0.01")), clock.now())
    make(estate, data, lambda text: None)
    for name in ASKED:
        sides.prepare(name, data)
    found = {name: SIDES[name](data, estate.now) for name in ASKED}
    yield found
    for side in found.values():
        side.close()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shape(
    benchmark: BenchmarkFixture, shape: Shape, opened: dict[str, Side], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {name: fingerprint(side.ask(shape)) for name, side in opened.items()}
    assert len(set(answers.values())) == 1, answers
    times: dict[str, list[float]] = {name: [] for name in opened}

    def once() -> None:
        for name, side in opened.items():
            began = time.process_time()
            side.ask(shape)
            times[name].append(time.process_time() - began)

    benchmark.pedantic(once, rounds=ROUNDS, warmup_rounds=2)  # type: ignore[no-untyped-call]
    ours, *peers = (median(times[name]) for name in ASKED)
    ratios = {name: ours / max(theirs, 1e-6) for name, theirs in zip(ASKED[1:], peers, strict=True)}
    benchmark.extra_info.update(ratios)
    with capsys.disabled():
        told = ", ".join(f"{ratio:.2f} of {name}" for name, ratio in ratios.items())
        print(f"\n{shape.name} {shape.title}: {ours * 1_000:.1f} ms of the processor, {told}")
