"""What a grouping reads: parts and stored states where they will do, rows where they will not. That the answers stay
the same is held by every logic record and property, over tables cut at random."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from engine.execute import run
from engine.lazyframe import grouping, ranges
from engine.lazyframe.relations import translate
from engine.source import Grain, Part, Rollup
from nql.api import Compiler, Context, resolve
from nql.plan.plan import ResolvedPlan
from tests.logic.cut_source import CutSource, Extent
from tests.logic.fixture import load
from tests.logic.memory_source import MemorySource
from tests.properties.tables import CATALOG, NOW, USER_ZONE, ZONE, source

CRASHES = "execution.crashes"
WEEK = "execution.events past 168h"


class Watched(CutSource):
    """Notes what is asked of it."""

    def __init__(self, base: MemorySource, seed: int = 3, *, least: int = 10**9) -> None:
        super().__init__(base, CATALOG, ZONE, seed)
        self.scanned: list[str] = []
        self.read: list[tuple[str, tuple[str, ...]]] = []
        self.asked: list[tuple[Grain, tuple[str, ...]]] = []
        self.least = least

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        self.scanned.append(table)
        return super().scan(table, columns, start=start, end=end, daily=daily)

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        self.read.append((table, tuple(columns)))
        return super().parts(table, columns, start=start, end=end)

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        return Extent(self.least)

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        self.asked.append((grain, tuple(states)))
        return super().rollup(table, grain, states, start=start, end=end)


class Unstated(Watched):
    """Has no states."""

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> None:
        return None


def plan(text: str) -> ResolvedPlan:
    return resolve(Compiler().compile(text, CATALOG).plan, Context(NOW, ZONE, USER_ZONE, {}))


def asked(text: str) -> list[tuple[Grain, tuple[str, ...]]]:
    watched = Watched(source(0))
    translate(plan(text), watched)
    return watched.asked


@pytest.mark.parametrize(
    ("text", "grain", "states"),
    [
        (f"{WEEK} | summarize c = cpu_time.sum() by device.name", "device", ("cpu_time:sum", "cpu_time:count")),
        (f"devices | include {WEEK} | compute n = count()", "device", ("@rows",)),
        (f"devices | with {WEEK}", "device", ()),
        (f"{WEEK} | summarize c = number_of_freezes.sum() by 1h", "quarter", ("number_of_freezes:sum",)),
        (f"{WEEK} | summarize n = count() by 45min", "quarter", ("@rows",)),
        (f"{WEEK} | summarize n = count()", "quarter", ("@rows",)),
        (f'{WEEK} | where device.name == "PC-001" | summarize n = count() by device.name', "device", ("@rows",)),
        ("execution.crashes past 168h | summarize n = number_of_crashes.sum() by 1d", "quarter", None),
    ],
)
def test_stored_states_are_asked_for(text: str, grain: Grain, states: tuple[str, ...] | None) -> None:
    ((found, names),) = asked(text)
    assert found == grain
    if states is not None:
        assert set(names) >= set(states)


@pytest.mark.parametrize(
    "text",
    [
        f"{WEEK} | where cpu_time > 1s | summarize c = cpu_time.sum() by device.name",
        f"{WEEK} | summarize c = countif(cpu_time > 1s) by device.name",
        f"{WEEK} | summarize c = cpu_time.last() by device.name",
        f"{WEEK} | summarize c = cpu_time.p95() by device.name",
        f"{WEEK} | summarize c = cpu_time.sum() by device.name, binary.name",
        f"{WEEK} | summarize c = cpu_time.sum() by 1h, device.name",
        f'{WEEK} | where device.name == "PC-001" | summarize c = cpu_time.sum() by 1h',
    ],
)
def test_rows_are_read_where_states_will_not_do(text: str) -> None:
    assert not asked(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{WEEK} | summarize c = cpu_time.sum() by device.name",
        f"{WEEK} | summarize c = cpu_time.last() by device.name",
        f"{WEEK} | summarize c = cpu_time.p95() by binary.name",
        f"{WEEK} | summarize c = device.count() by binary.name",
        f"devices | with {WEEK} | compute c = memory.avg()",
    ],
)
def test_the_table_is_read_in_parts(text: str) -> None:
    watched = Watched(source(0))
    run(plan(text), watched)
    assert "execution.events" not in watched.scanned
    assert {table for table, _ in watched.read} == {"execution.events"}


def test_small_tables_are_scanned() -> None:
    watched = Watched(source(0), least=10)
    run(plan(f"{WEEK} | summarize c = cpu_time.sum() by device.name"), watched)
    assert "execution.events" in watched.scanned
    assert not watched.read


def test_a_source_that_tells_no_parts_is_scanned() -> None:
    text = f"{WEEK} | summarize c = cpu_time.sum() by device.name"
    assert run(plan(text), source(0)).table == run(plan(text), Watched(source(0))).table


@pytest.mark.parametrize("repeated", [0, 10**9])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "text",
    [
        f"{WEEK} | summarize n = device.count() by binary.name | sort n desc",
        f"{WEEK} | summarize n = device.count() by binary.name, binary.version",
        f"{WEEK} | where number_of_freezes > 0 | summarize n = device.count() by user.name",
        f'{WEEK} | where device.entity != "Boston" | summarize n = device.count() by binary.name',
        f"{WEEK} | summarize n = cpu_time.p95(), m = cpu_time.median(), c = count() by device.entity",
    ],
)
def test_however_values_are_counted(text: str, seed: int, repeated: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_FEW", -1)
    monkeypatch.setattr(grouping, "_REPEATED", max(1, repeated))
    answer = run(plan(text), Watched(source(seed), seed))
    assert answer.table.equals(run(plan(text), source(seed)).table)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "text",
    [
        f"{WEEK} | summarize n = count(), t = cpu_time.sum() by device.name, binary.name",
        f"{WEEK} | summarize t = incoming_traffic.sum(), m = cpu_time.max() by device.entity, device.name, user.name",
        f"{WEEK} | summarize t = cpu_time.avg(), v = cpu_time.last() by 1d, device.name",
        f'{WEEK} | where binary.name == "*e*" | summarize n = count() by binary.name, device.name',
    ],
)
def test_ranges_of_devices(text: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "ROWS", 1 + seed * 7)
    known = run(plan(text), Watched(source(seed), seed)).table
    assert known == run(plan(text), source(seed)).table


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "text",
    [
        f"{WEEK} | summarize n = count(), s = cpu_time.sum(), a = memory.avg() by device.name",
        f"{WEEK} | where number_of_freezes > 0 | summarize m = cpu_time.max() by device.entity",
        f"devices | include {WEEK} | compute s = cpu_time.sum(), l = cpu_time.last()",
        f"devices | with {WEEK} | compute n = count()",
    ],
)
def test_devices_with_few_rows_each(text: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    by_runs = run(plan(text), Unstated(source(0), seed)).table
    monkeypatch.setattr(grouping, "_FEW_EACH", 10**10)
    assert run(plan(text), Unstated(source(0), seed)).table == by_runs == run(plan(text), source(0)).table


@pytest.mark.parametrize("ids", [[7, 8], [-1, 10**6]])
def test_devices_that_are_gone_have_one_group_in_every_way(ids: list[int]) -> None:
    base = source(1)

    def gone(table: str, rows: pl.DataFrame) -> pl.DataFrame:
        if table == "device.devices":
            number = pl.int_range(pl.len())
            return rows.with_columns(number.alias("@id"), number.cast(pl.String).alias("uid"))
        if table != "execution.events" or "@device" not in rows.columns:
            return rows
        other = pl.Series(ids * rows.height, dtype=pl.Int64()).head(rows.height)
        return rows.with_columns(
            pl.when(pl.int_range(pl.len()) % 3 == 0).then(other).otherwise("@device").alias("@device")
        )

    changed = base.changed(gone)
    assert changed.scan("execution.events", ["@device"]).collect()["@device"].is_in(ids).any()
    text = f"{WEEK} | summarize n = count() by device.uid, binary.name"
    for seed in range(4):
        assert run(plan(text), Watched(changed, seed)).table == run(plan(text), changed).table


def test_an_empty_window_has_no_groups_and_one_row_without_keys() -> None:
    fleet = load("fleet")
    empty = fleet.source().changed(lambda _, frame: frame.clear())
    for text in (
        f"{WEEK} | summarize n = count() by device.name",
        f"{WEEK} | summarize n = count(), s = cpu_time.sum()",
    ):
        answer = run(plan(text), CutSource(empty, fleet.catalog, ZONE, 1))
        assert answer.table == run(plan(text), empty).table
