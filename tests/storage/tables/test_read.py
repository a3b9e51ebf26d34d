"""Scans: windows, columns, daily samples; the same answers from memory, from sealed files, and from a mixture."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from engine.source import Source
from nql.catalog.model import executions_of
from nql.datatypes import INT
from storage.tables.days import day_start, next_start
from storage.tables.read import SnapshotSource
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, QUARTER, compact, open_store, source_of

DAY = 86_400_000_000
Sample = dict[str, Any]
TABLE = "execution.events"
GAUGE = [f"memory.{part}" for part in ("sum", "count", "min", "max")]


def samples(zone: ZoneInfo, first: date, days: int) -> list[Sample]:
    """Buckets over some days of a zone, with nulls of every kind."""
    chance, rows = random.Random(zone.key), []
    for number in range(days * 30):
        start = day_start(first, zone) // QUARTER * QUARTER + chance.randrange(days * 96) * QUARTER
        value = chance.randrange(1, 1000)
        gauge = [None] * 4 if chance.random() < 0.3 else [value * 3, 3, value - 1, value + 1]
        row: Sample = {
            "@device": f"device-{chance.randrange(3)}",
            "@user": chance.choice([None, "user"]),
            "@binary": f"binary-{chance.randrange(2)}",
            "start_time": start,
            "end_time": start + QUARTER,
            "bucket_duration": QUARTER,
            "cpu_time": chance.choice([None, number]),
            "highest_process_visibility": chance.choice([None, "visible", "background"]),
        }
        rows.append(row | dict(zip(GAUGE, gauge, strict=True)))
    return rows


def commit(store: Store, rows: list[Sample], sequence: int) -> None:
    """Store rows as one batch."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    outcome = store.commit([Batch("import:test", 0, "e", sequence, NOW, (Rows(TABLE, columns),))])
    assert isinstance(outcome[0], Ack), outcome


def spread(folder: Path, rows: list[Sample], how: str, zone: str | None = None) -> Store:
    """A store with the rows in memory, in sealed files, or in both."""
    store = open_store(folder, zone=zone, now=max(row["start_time"] for row in rows))
    for sequence, at in enumerate(range(0, len(rows), 40)):
        commit(store, rows[at : at + 40], sequence)
        if how == "sealed" or (how == "mixed" and sequence % 3 == 1):
            store.seal()
        if how == "late" and sequence == len(rows) // 80:
            compact(store, most_rows=20)
    if how in ("compacted", "split"):
        compact(store, most_rows=20 if how == "split" else 1000)
    return store


@pytest.fixture(params=["memory", "sealed", "mixed", "compacted", "split", "late"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SnapshotSource, list[Sample]]]:
    """A source over four days of samples, and the samples."""
    rows = samples(ZoneInfo("UTC"), date(2023, 11, 10), 4)
    store = spread(tmp_path, rows, request.param)
    yield source_of(store), rows
    store.abandon()


def test_it_is_what_the_engine_asks_for(tmp_path: Path) -> None:
    source: Source = source_of(open_store(tmp_path))
    assert source.complete_until == NOW


def test_windows_are_half_open_and_exact(filled: tuple[SnapshotSource, list[Sample]]) -> None:
    source, rows = filled
    times = sorted(row["start_time"] for row in rows)
    for start, end in [
        (None, None),
        (times[9], times[50]),
        (times[50], None),
        (None, times[9]),
        (times[5] + 1, times[5] + 2),
    ]:
        frame = source.scan(TABLE, ["cpu_time", "start_time"], start=start, end=end).collect()
        wanted = [row["start_time"] for row in rows if (start or 0) <= row["start_time"] < (end or 1 << 62)]
        assert sorted(frame["start_time"]) == sorted(wanted)
        assert frame.columns == ["cpu_time", "start_time"]


def test_parts_are_the_scan_newest_day_first(filled: tuple[SnapshotSource, list[Sample]]) -> None:
    source, rows = filled
    times = sorted(row["start_time"] for row in rows)
    columns = ["@row", "start_time", "cpu_time", "gpu_usage.sum"]
    for start, end in [(None, None), (times[9], times[50]), (times[50], None), (times[-1] + 1, None)]:
        parts = source.parts(TABLE, columns, start=start, end=end)
        frames = [part.frame.collect() for part in parts]
        scanned = source.scan(TABLE, columns, start=start, end=end).collect()
        assert sorted(row for frame in frames for row in frame.rows()) == sorted(scanned.rows())
        for part, frame in zip(parts, frames, strict=True):
            assert frame.height <= part.rows
            assert set(frame["start_time"] // DAY) <= {part.day}
            assert frame.schema == scanned.schema
        days = [part.day or 0 for part in parts]
        assert days == sorted(days, reverse=True)
        assert days or start


def test_parts_of_objects_are_one(tmp_path: Path) -> None:
    store = spread(tmp_path, samples(ZoneInfo("UTC"), date(2023, 11, 10), 1), "memory")
    source = source_of(store)
    (part,) = source.parts("devices", ["@id", "uid"])
    assert (part.rows, part.day, part.by_device) == (3, None, False)
    assert part.frame.collect().equals(source.scan("devices", ["@id", "uid"]).collect())
    assert source.rollup(TABLE, "device", ["cpu_time:sum"], start=0, end=NOW) is None
    store.abandon()


def test_columns_come_as_asked_and_typed(filled: tuple[SnapshotSource, list[Sample]]) -> None:
    source, rows = filled
    frame = source.scan(
        TABLE, ["memory.max", "@row", "gpu_usage.sum", "highest_process_visibility", "cpu_time"]
    ).collect()
    assert dict(frame.schema) == {
        "memory.max": pl.Int64(),
        "@row": pl.Int64(),
        "gpu_usage.sum": pl.Float64(),
        "highest_process_visibility": pl.String(),
        "cpu_time": pl.Int64(),
    }
    assert frame.sort("@row")["cpu_time"].to_list() == [row["cpu_time"] for row in rows]
    assert frame["gpu_usage.sum"].null_count() == len(rows)


def test_counting_needs_no_column(filled: tuple[SnapshotSource, list[Sample]]) -> None:
    source, rows = filled
    assert source.scan(TABLE, ["@row"]).select(pl.len()).collect().item() == len(rows)


@pytest.mark.parametrize("table", ["nonsense", "execution.nonsense", "remote_action.#x.executions"])
def test_an_unknown_table_is_a_key_error(tmp_path: Path, table: str) -> None:
    with pytest.raises(KeyError):
        source_of(open_store(tmp_path)).scan(table, [])


def test_an_unknown_column_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nonsense"):
        source_of(open_store(tmp_path)).scan(TABLE, ["@row", "nonsense"])


def brute(rows: list[Sample], zone: ZoneInfo) -> dict[tuple[Any, ...], Sample]:
    """Daily samples the slow way, by date and dimensions."""
    groups: dict[tuple[Any, ...], list[tuple[int, Sample]]] = {}
    for number, row in enumerate(rows):
        day = datetime.fromtimestamp(row["start_time"] / 1e6, UTC).astimezone(zone).date()
        key = (day, row["@device"], row["@user"], row["@binary"], row["highest_process_visibility"])
        groups.setdefault(key, []).append((number, row))

    def fold(of: Callable[[list[int]], int], column: str, group: list[tuple[int, Sample]]) -> int | None:
        given = [row[column] for _, row in group if row[column] is not None]
        return of(given) if given else None

    result = {}
    for key, group in groups.items():
        start, end = day_start(key[0], zone), day_start(key[0] + timedelta(days=1), zone)
        result[key] = {
            "@row": min(number for number, _ in group),
            "start_time": start,
            "end_time": end,
            "bucket_duration": end - start,
            "cpu_time": fold(sum, "cpu_time", group),
            "memory.sum": fold(sum, "memory.sum", group),
            "memory.count": fold(sum, "memory.count", group),
            "memory.min": fold(min, "memory.min", group),
            "memory.max": fold(max, "memory.max", group),
            "gpu_usage.sum": None,
        }
    return result


ZONES = [
    ("UTC", date(2023, 11, 10)),
    ("Europe/Zurich", date(2023, 10, 27)),  # a day of 25 hours
    ("America/New_York", date(2023, 3, 10)),  # one of 23
    ("Africa/Cairo", date(2023, 4, 26)),  # one without midnight
    ("Asia/Kathmandu", date(2023, 11, 10)),
    ("Pacific/Kiritimati", date(2023, 11, 10)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "first"), ZONES)
@pytest.mark.parametrize("how", ["memory", "mixed", "compacted", "late"])
def test_daily_samples_are_those_of_the_slow_way(tmp_path: Path, name: str, first: date, how: str) -> None:
    zone = ZoneInfo(name)
    rows = samples(zone, first, 5)
    store = spread(tmp_path, rows, how, zone=name)
    wanted = brute(rows, zone)
    columns = list(next(iter(wanted.values())))
    frame = source_of(store).scan(TABLE, columns, daily=True).collect()
    assert frame.columns == columns
    assert sorted(frame.rows()) == sorted(tuple(row.values()) for row in wanted.values())
    store.abandon()


def test_daily_samples_of_a_table_without_rows(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    frame = source_of(store).scan(TABLE, ["start_time", "end_time", "bucket_duration", "@device"], daily=True).collect()
    assert frame.height == 0
    assert set(frame.dtypes) == {pl.Int64()}
    store.abandon()


def test_daily_windows_take_whole_days(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Zurich")
    rows = samples(zone, date(2023, 10, 27), 5)
    store = spread(tmp_path, rows, "mixed", zone=zone.key)
    days = brute(rows, zone).values()
    midnight = day_start(date(2023, 10, 29), zone)
    for start, end in [
        (midnight, midnight + DAY),
        (midnight + 1, None),
        (None, midnight),
        (midnight - 1, midnight + 1),
    ]:
        frame = source_of(store).scan(TABLE, ["@row", "start_time"], start=start, end=end, daily=True).collect()
        wanted = [(d["@row"], d["start_time"]) for d in days if (start or 0) <= d["start_time"] < (end or 1 << 62)]
        assert sorted(frame.rows()) == sorted(wanted)
    store.abandon()


def test_totals_over_days_are_totals_over_buckets(filled: tuple[SnapshotSource, list[Sample]]) -> None:
    source, _ = filled
    columns = ["cpu_time", "memory.sum", "memory.count"]
    totals = [source.scan(TABLE, columns, daily=daily).select(pl.all().sum()).collect() for daily in (False, True)]
    assert totals[0].equals(totals[1])


def test_daily_on_a_table_of_instants_changes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = Rows("device_performance.boots", {"@device": ["a", "a"], "time": [NOW, NOW]})
    store.commit([Batch("import:test", 0, "e", 0, NOW, (rows,))])
    assert source_of(store).scan("device_performance.boots", ["@row"], daily=True).collect().height == 2


def test_rows_of_one_configured_action(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    columns: dict[str, Any] = {
        "@remote_action": ["#one", "#two", "#one"],
        "time": [NOW, NOW, NOW - 1],
        "status": ["success"] * 3,
    }
    store.commit([Batch("portal", 0, "e", 0, NOW, (Rows("remote_action.executions", columns),))])
    catalog = CATALOG.overlay([executions_of(CATALOG, "one", {"n": INT})], "1")
    source = SnapshotSource(store.snapshot(), catalog)
    frame = source.scan("remote_action.#one.executions", ["@row", "time"]).collect()
    assert sorted(frame.rows()) == [(0, NOW), (2, NOW - 1)]
    assert source.scan("remote_action.#one.executions", ["@row"], end=NOW).collect().rows() == [(2,)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2024, 2, 29), 24),
        ("Europe/Zurich", date(2024, 3, 31), 23),
        ("Europe/Zurich", date(2024, 10, 27), 25),
        ("Africa/Cairo", date(2023, 4, 28), 23),
        ("America/Havana", date(2024, 3, 10), 23),
        ("America/Havana", date(2024, 11, 3), 25),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
    ],
)
def test_days_have_the_length_of_their_zone(zone: str, day: date, hours: float) -> None:
    place = ZoneInfo(zone)
    start, end = day_start(day, place), day_start(day + timedelta(days=1), place)
    assert (end - start) / 3_600_000_000 == hours
    assert datetime.fromtimestamp(start // 1_000_000, place).date() == day
    assert datetime.fromtimestamp(start // 1_000_000 - 1, place).date() == day - timedelta(days=1)
    assert next_start(start, place) == start
    assert next_start(start + 1, place) == end
    assert next_start(end - 1, place) == end
