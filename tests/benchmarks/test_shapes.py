"""The measurement measures what it says: sides agree, the estate is the same whenever it is made, goals and page follow
the figures.

In: a very small estate. Out: nothing. Invariant: no time is asserted here.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pytest

from benchmarks.shapes import clock, limits, loading, page, plain, sides
from benchmarks.shapes.copies import copied
from benchmarks.shapes.estate import DAY, HOUR, SAMPLES, TIMES, Estate, hours, of_one_day, of_scale
from benchmarks.shapes.fingerprint import fingerprint
from benchmarks.shapes.goals import goals, ratio
from benchmarks.shapes.measuring import measured
from benchmarks.shapes.reasons import REASONS
from benchmarks.shapes.shapes import SHAPES, named
from benchmarks.shapes.sides import SIDES
from benchmarks.shapes.whole import DifferentError, agree, make
from engine.source import AroundLaid, Laid, laid

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # nine seconds when quiet: every engine is asked everything
NOW = clock.now()
ESTATE = Estate(devices=60, samples=30_000, crashes=900, executions=1_500, hours=168, now=NOW)
OURS = ("muster", "muster-rollups")
PEERS = ("polars-time", "polars-ids", "duckdb-time", "duckdb-ids", "duckdb-files")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    make(ESTATE, folder, lambda text: None)
    return folder


@pytest.fixture(scope="module")
def answers(data: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in (*OURS, *PEERS):
        sides.prepare(name, data)
        side = SIDES[name](data, NOW)
        found[name] = {shape.name: side.ask(shape) for shape in SHAPES}
        side.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_sides_agree(answers: dict[str, dict[str, Any]], shape: Any) -> None:
    prints = {name: fingerprint(found[shape.name]) for name, found in answers.items()}
    assert len(set(prints.values())) == 1, prints


@pytest.mark.slow
def test_no_shape_is_about_nothing(answers: dict[str, dict[str, Any]]) -> None:
    rows = {name: answer.num_rows for name, answer in answers["muster"].items()}
    assert all(rows.values()), rows


@pytest.mark.slow
def test_days_are_compacted_but_for_the_last(data: Path) -> None:
    made = msgspec.json.decode((data / "made.json").read_bytes())
    today = sum(rows.height for start, rows in hours(ESTATE, SAMPLES) if start >= NOW // DAY * DAY)
    every = ESTATE.samples + ESTATE.crashes + ESTATE.executions
    assert 0 < today < ESTATE.samples / 4
    assert made["taken"]["compacted_rows"] <= every - today
    assert made["taken"]["compacted_rows"] > every * 3 / 4


@pytest.mark.slow
def test_a_made_estate_is_taken_as_it_is_and_another_is_refused(data: Path) -> None:
    before = (data / "made.json").read_bytes()
    make(ESTATE, data, lambda text: None)
    assert (data / "made.json").read_bytes() == before
    with pytest.raises(FileExistsError, match="another estate"):
        make(of_scale(0.001, NOW), data, lambda text: None)


@pytest.mark.slow
def test_a_copy_may_be_written_to(data: Path, tmp_path: Path) -> None:
    store = data / "store"
    before = {path: path.read_bytes() for path in store.glob("*.*")}
    with copied(store, "store", data) as copy:
        side = sides.Muster(copy, NOW, rollups=True)
        (batch,) = loading.batches(data / "plain", SAMPLES, 1, 100, NOW, "more")
        side.append(batch)
        counted = side.result(f"{SAMPLES} during past 168h | summarize n = count()").table.to_pylist()
        side.close()
    side = sides.Muster(data, NOW, rollups=True)
    same = side.result(f"{SAMPLES} during past 168h | summarize n = count()").table.to_pylist()
    side.close()
    assert counted[0]["n"] == same[0]["n"] + 100
    assert before == {path: path.read_bytes() for path in store.glob("*.*")}


def test_the_estate_is_the_same_every_time_and_in_order() -> None:
    first, again = (pl.concat(rows for _, rows in hours(ESTATE, SAMPLES)) for _ in range(2))
    assert first.equals(again)
    assert first.height == ESTATE.samples
    assert first["row"].to_list() == list(range(ESTATE.samples))
    assert first[TIMES[SAMPLES]].is_sorted()
    assert first["start_time"].min() == ESTATE.first
    assert first.select(pl.col("device").max()).item() < ESTATE.devices
    assert first["device"].n_unique() < ESTATE.devices  # some are never heard of


def test_a_row_is_the_same_in_an_estate_of_another_length() -> None:
    longer = Estate(ESTATE.devices, ESTATE.samples * 2, 900, 1_500, 336, NOW)
    columns = ["row", "device", "binary", "cpu_time", "memory_sum"]
    first, other = (next(rows for _, rows in hours(estate, SAMPLES)).select(columns) for estate in (ESTATE, longer))
    common = min(first.height, other.height)
    assert common
    assert first.head(common).equals(other.head(common))


def test_the_estates_of_the_goals() -> None:
    whole, day = of_scale(1, NOW), of_one_day(1, NOW)
    assert (whole.devices, whole.samples, whole.executions, whole.hours) == (100_000, 30_000_000, 1_000_000, 168)
    assert (day.samples, day.hours) == (150_000_000, 24)
    assert NOW % HOUR


def test_what_must_be_read_counts_the_narrowest_columns(tmp_path: Path) -> None:
    plain.write(ESTATE, tmp_path)
    inside = sides.window(NOW)
    rows, wide = limits.rows_in(tmp_path, inside), limits.widths(tmp_path)
    assert inside[1] - inside[0] == 168 * HOUR
    assert 0.97 * ESTATE.samples < rows[SAMPLES]["window"] <= ESTATE.samples
    assert rows[SAMPLES]["day"] < rows[SAMPLES]["window"] / 3
    assert (wide[SAMPLES]["device"], wide[SAMPLES]["number_of_freezes"]) == (1, 1)
    assert wide[SAMPLES]["start_time"] == 4  # seconds of a week
    (shape,) = named("h1")
    assert limits.least_bytes(shape, rows, wide) == 2 * rows[SAMPLES]["window"]


def test_fingerprints() -> None:
    table = pa.table({"a": [1, 2, None], "b": [0.5, 2.0, 3.25]})
    assert fingerprint(table) == fingerprint(table.take([2, 0, 1]))
    assert fingerprint(table) == fingerprint(table.set_column(1, "x", pa.array([0.5, 2.0, 3.25 + 1e-13])))
    assert fingerprint(table) != fingerprint(table.set_column(1, "b", pa.array([0.5, 2.0, 3.2500001])))
    assert fingerprint(table) != fingerprint(table.set_column(0, "a", pa.array([1, 2, 0])))
    times = pa.table({"a": pa.array([5, None], pa.duration("us"))})
    assert fingerprint(times) == fingerprint(pa.table({"a": [None, 5]}))
    assert fingerprint(pa.table({"a": pa.array([7], pa.decimal128(38, 0))})) == fingerprint(pa.table({"a": [7]}))


def test_sides_that_differ_are_noticed() -> None:
    def side(mark: str) -> dict[str, Any]:
        return {"shapes": {"q1": {"fingerprint": mark}}}

    agree({"one": side("a"), "two": side("a"), "three": {"missing": "not here"}})
    with pytest.raises(DifferentError, match="two and one give different answers to q1"):
        agree({"one": side("a"), "two": side("b")})


def test_a_measurement_counts_rounds_and_memory() -> None:
    asked = []

    def ask() -> Any:
        asked.append(1)
        return pa.table({"a": [1]})

    timing = measured(ask, 5)
    assert timing.rounds >= 5
    assert len(asked) > timing.rounds  # the first, warm ones, and one for memory
    assert timing.rows == 1
    assert timing.peak_mib >= 0


def test_unknown_shapes_are_refused() -> None:
    assert [shape.name for shape in named("h1, q3")] == ["q3", "h1"]
    with pytest.raises(ValueError, match="no shape 'q77'"):
        named("q77")


def _figures() -> dict[str, Any]:
    def side(factor: float) -> dict[str, Any]:
        timing = {"cpu_ms": 2 * factor, "first_ms": 9.0, "peak_mib": 3.5, "rounds": 5, "rows": 1, "fingerprint": "x"}
        return {"shapes": {shape.name: {**timing, "wall_ms": factor} for shape in SHAPES}}

    estate = {"devices": 10, "samples": 1_000, "crashes": 1, "executions": 1, "hours": 168, "now": NOW}
    return {
        "estate": estate,
        "taken": {"compaction_seconds": 2.0, "compacted_rows": 1_000_000, "reader_seconds": 0.02},
        "machine": {
            "processor": "p", "cores": 2, "memory_gib": 1.0, "python": "3", "load": 0.1, "packages": {},
            "bytes_per_second": 1e9,
        },
        "rows": {SAMPLES: 900},
        "least_bytes": {shape.name: 1_000_000 for shape in SHAPES},
        "sides": {"muster": side(2), "muster-rollups": side(1), "duckdb-time": side(8), "chdb-time": {"missing": "no"}},
        "disk": {"store": 1 << 20},
        "growth": [
            {"estate": {**estate, "samples": rows}, "sides": {"muster": side(rows / 100)}} for rows in (1_000, 10_000)
        ],
    }  # fmt: skip


def test_goals_follow_the_figures() -> None:
    figures = _figures()
    assert ratio(figures, "muster-rollups", "duckdb-time") == pytest.approx(1 / 8)
    assert ratio(figures, "muster-rollups", "chdb-time") is None
    found = {goal.name: goal for goal in goals(figures)}
    kept = {name: goal.kept for name, goal in found.items() if goal.reached is not None}
    assert kept["geometric mean of q3 to q9: part of DuckDB's time, time order"]
    assert kept["q5, rollups: 7 days by hour"]
    assert not kept["rows compacted a second"]
    assert kept["the longest that a reader waited for a snapshot while compacting"]
    figures["sides"]["muster-rollups"]["shapes"]["q5"]["wall_ms"] = 5.01
    assert not {goal.name: goal for goal in goals(figures)}["q5, rollups: 7 days by hour"].kept


def test_the_page_says_what_was_measured_and_what_not(tmp_path: Path) -> None:
    page.write(_figures(), tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    assert "| q3, raw: devices with more than three crashes in 7 days | ≤ 35 ms | 2 ms | yes |" in text
    assert "| rows compacted a second | ≥ 700,000 rows/s | 500,000 rows/s | **no** |" in text
    assert "| private memory of an idle portal | ≤ 1,536 MiB | not measured |  |" in text
    assert "chdb, time order: not measured, no." in text
    assert "10.0 times as many" in text
    assert (tmp_path / "page.svg").read_text().count("<circle") == 3 + 3 * len(SHAPES)
    assert "<polyline" in (tmp_path / page.GROWTH).read_text()
    shutil.rmtree(tmp_path)


def test_the_page_of_one_day_has_no_goals_of_the_week(tmp_path: Path) -> None:
    figures = _figures()
    figures["estate"]["hours"] = 24
    figures = {name: value for name, value in figures.items() if name not in ("work", "growth")}
    page.write(figures, tmp_path / "day.md")
    heads = [line for line in (tmp_path / "day.md").read_text().splitlines() if line.startswith("## ")]
    assert heads[0] == "## Time by the clock, milliseconds"
    assert "## The store at work" not in heads
    assert (tmp_path / "day.svg").exists()


def test_the_page_tells_where_the_time_goes_and_begins_with_what_missed(tmp_path: Path) -> None:
    assert {shape.name for shape in SHAPES} == REASONS.keys()
    figures = _figures()
    figures["sides"]["muster"]["shapes"]["q9"] = figures["sides"]["muster"]["shapes"]["q9"] | {"wall_ms": 61.0}
    page.write(figures, tmp_path / "page.md")
    told = [line for line in (tmp_path / "page.md").read_text().splitlines() if line.endswith(tuple(REASONS.values()))]
    assert told[0] == f"- **q9** (missed its goal): {REASONS['q9']}"
    assert told[1:] == [f"- **{shape.name}**: {REASONS[shape.name]}" for shape in SHAPES if shape.name != "q9"]


def test_the_raw_side_keeps_its_rollups_but_still_tells_how_its_rows_lie(data: Path) -> None:
    asked: list[AroundLaid] = []

    class Watched(sides.Raw):
        def __init__(self, base: Laid) -> None:
            super().__init__(base)
            asked.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "Raw", Watched)
        side = SIDES["muster"](data, NOW)
        side.ask(SHAPES[5])
        side.close()
    (raw,) = asked
    assert laid(raw)
    assert raw.rollup(SAMPLES, "device", [], start=0, end=NOW) is None
    assert any(part.by_device for part in raw.parts(SAMPLES, ["@device"], start=0, end=NOW))
