"""States are the states of the rows they stand for, however these lie; what they cannot tell they do not cover."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from nql.catalog.model import TableKind
from storage.tables import seal
from storage.tables.at_hand import StatesAtHand
from storage.tables.days import DAY
from storage.tables.read import SnapshotSource
from storage.tables.rollups import Grain, Rollup
from storage.tables.rows import Ack, Batch, Rows
from storage.tables.schema import schemas_of
from storage.tables.seal import Sealing
from storage.tables.states import spans, states_of
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, QUARTER, compact, damaged, open_store, source_of

SAMPLES, SCORES = "execution.events", "dex.scores"
GRAINS: tuple[Grain, ...] = ("device", "quarter")
FIRST = NOW // DAY - 5
STATES = ["cpu_time:sum", "cpu_time:count", "memory.max:max", "memory.max:count", "bucket_duration:min"]
STATES += ["gpu_usage.sum:sum", "gpu_usage.sum:count", "gpu_usage.max:max", "number_of_freezes:sum"]
COLUMNS = ["@device", "start_time", "cpu_time", "memory.max", "bucket_duration", "gpu_usage.sum", "gpu_usage.max"]
Row = dict[str, Any]


def sample(chance: random.Random, days: float, first: float = 0) -> Row:
    """One bucket at some time of some days."""
    start = int((FIRST + first) * 96 + chance.randrange(int(days * 96))) * QUARTER
    usage = chance.choice([None, chance.randrange(1024) / 1024])  # whose sums are exact
    return {
        "@device": f"device-{chance.randrange(20)}",
        "@binary": f"binary-{chance.randrange(5)}",
        "start_time": start,
        "bucket_duration": chance.choice([QUARTER, QUARTER // 3]),
        "cpu_time": chance.choice([None, chance.randrange(-1000, 1000)]),
        "memory.max": chance.choice([None, chance.randrange(1000)]),
        "gpu_usage.sum": usage,
        "gpu_usage.max": usage,
    }


def commit(store: Store, rows: list[Row], sequence: int, table: str = SAMPLES) -> None:
    """Store rows as one batch."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    outcome = store.commit([Batch("import:test", 0, "e", sequence, NOW, (Rows(table, columns),))])
    assert isinstance(outcome[0], Ack), outcome


def stored(folder: Path, zone: str = "UTC", most_rows: int = 100_000) -> Store:
    """Four compacted days, with late rows of the second in a segment and of the third in memory."""
    chance = random.Random(zone)
    store = open_store(folder, zone=zone)
    for sequence in range(5):
        commit(store, [sample(chance, 4) for _ in range(400)], sequence)
        store.seal()
    compact(store, most_rows=most_rows)
    commit(store, [sample(chance, 1, 1) for _ in range(30)], 10)
    store.seal()
    commit(store, [sample(chance, 0.2, 2.5) for _ in range(30)], 11)
    return store


def rows_of(store: Store, spans: Iterable[tuple[int, int]], columns: list[str]) -> list[Row]:
    """The rows of some spans, the plain way."""
    frames = [source_of(store).scan(SAMPLES, columns, start=a, end=b).collect() for a, b in spans]
    return pl.concat(frames).to_dicts()


def slow(rows: list[Row], key: str) -> dict[Any, dict[str, Any]]:
    """The states of rows by plain Python."""
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["@device"] if key == "@device" else row["start_time"] // QUARTER * QUARTER].append(row)

    def state(group: list[Row], name: str) -> Any:
        column, _, kind = name.rpartition(":")
        given = [row[column] for row in group if row.get(column) is not None]
        if kind in ("sum", "count"):
            return sum(given) if kind == "sum" else len(given)
        return {"min": min, "max": max}[kind](given) if given else None

    return {at: {"@rows": len(group)} | {name: state(group, name) for name in STATES} for at, group in groups.items()}


def combined(found: Rollup, key: str) -> dict[Any, dict[str, Any]]:
    """The states put together."""
    how = {"sum": pl.Expr.sum, "count": pl.Expr.sum, "min": pl.Expr.min, "max": pl.Expr.max}
    exprs = [pl.col("@rows").sum(), *(how[name.rpartition(":")[2]](pl.col(name)) for name in STATES)]
    return {row.pop(key): row for row in found.frame.group_by(key).agg(exprs).collect().to_dicts()}


def check(
    store: Store, grain: Grain, start: int, end: int, at_hand: StatesAtHand | None = None
) -> tuple[tuple[int, int], ...]:
    """Ask for states and hold them against the rows of what they cover, which is given back."""
    source = SnapshotSource(store.snapshot(), CATALOG, states=StatesAtHand(0) if at_hand is None else at_hand)
    found = source.rollup(SAMPLES, grain, STATES, start=start, end=end)
    if found is None:
        return ()
    key = "@device" if grain == "device" else "@quarter"
    assert found.frame.collect_schema().names() == [key, "@rows", *STATES]
    assert list(found.covers) == sorted(found.covers)
    assert all(start <= a < b <= end for a, b in found.covers)
    wanted, given = slow(rows_of(store, found.covers, COLUMNS), key), combined(found, key)
    assert given.keys() == wanted.keys()
    for at, states in wanted.items():
        assert given[at] == states
    return found.covers


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "Asia/Kathmandu", "Pacific/Kiritimati"])
@pytest.mark.parametrize("most_rows", [100_000, 150])
def test_states_are_those_of_the_rows(tmp_path: Path, zone: str, most_rows: int) -> None:
    store = stored(tmp_path, zone, most_rows)
    first, last = FIRST * DAY, (FIRST + 4) * DAY
    assert check(store, "quarter", first, last) == ((first, last),)
    assert check(store, "quarter", first + 1, last - 1) == ((first + QUARTER, last - 1),)  # nothing is left out there
    assert check(store, "quarter", first, last - QUARTER - 1) == ((first, last - 2 * QUARTER),)
    assert check(store, "quarter", first + 5 * QUARTER, first + 6 * QUARTER) != ()
    assert check(store, "quarter", first + 1, first + QUARTER) == ()
    assert check(store, "device", first, last) == ((first, last),)
    midnights = [a for day in range(FIRST, FIRST + 4) for a, _ in spans(day, ZoneInfo(zone))]
    local = [at for at in midnights if datetime.fromtimestamp(at // 1_000_000, ZoneInfo(zone)).hour == 0]
    assert check(store, "device", local[1], local[3]) == ((local[1], local[3]),)
    (one,) = check(store, "device", first + 1, last)
    assert one == (min(at for at in midnights if at > first), last)
    store.abandon()


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_states_of_large_segments_are_made_when_they_are_wanted_again(
    tmp_path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "Sealing", partial(Sealing, ordered_rows=200))
    chance, store = random.Random(zone), open_store(tmp_path, zone=zone)
    for sequence in range(3):
        commit(store, [sample(chance, 1) for _ in range(300)], sequence)
        store.seal()
    compact(store, most_rows=150)
    for day, count in ((1, 300), (1, 300), (1, 20), (2, 250)):  # a day of three segments, one with rows in memory
        commit(store, [sample(chance, 1, day) for _ in range(count)], 10 + len(store.manifest.segments))
        store.seal()
    commit(store, [sample(chance, 0.5, 2) for _ in range(20)], 20)
    assert [item.in_order for item in store.manifest.segments].count(True) == 3
    first, last = FIRST * DAY, (FIRST + 3) * DAY
    at_hand = StatesAtHand()
    assert check(store, "device", first, last, at_hand) == ((first, first + DAY),)
    for _ in range(2):
        assert check(store, "device", first, last, at_hand) == ((first, last),)
    for _ in range(30):
        start, end = sorted(first - QUARTER // 2 + chance.randrange(4 * 96 * 2) * QUARTER // 2 for _ in range(2))
        for grain in GRAINS:
            assert check(store, grain, start, end, at_hand) or end - start < 2 * DAY
    store.abandon()


def test_a_utc_day_is_cut_where_a_day_of_the_zone_begins() -> None:
    assert spans(FIRST, ZoneInfo("UTC")) == ((FIRST * DAY, (FIRST + 1) * DAY),)
    (early, late) = spans(FIRST, ZoneInfo("Asia/Kathmandu"))
    assert early[1] == late[0]
    assert datetime.fromtimestamp(late[0] // 1_000_000, UTC).strftime("%H:%M") == "18:15"


def test_states_follow_the_metric_of_a_sampled_table() -> None:
    schemas = schemas_of(CATALOG)
    known = states_of(schemas[SAMPLES])
    assert known["cpu_time"] == known["memory.count"] == ("sum", "count")
    assert (known["memory.min"], known["memory.max"]) == (("count", "min"), ("count", "max"))
    assert known["bucket_duration"] == ("sum", "count", "min", "max")
    assert not {"start_time", "end_time", "@device", "@row", "highest_process_visibility"} & known.keys()
    assert schemas[SCORES].table.kind is not TableKind.SAMPLED
    assert set(states_of(schemas[SCORES]).values()) == {("sum", "count", "min", "max")}


def test_what_is_not_stored_is_none(tmp_path: Path) -> None:
    store = stored(tmp_path)
    source = source_of(store)
    window = {"start": FIRST * DAY, "end": (FIRST + 4) * DAY}
    assert source.rollup(SAMPLES, "device", ["cpu_time:max"], **window) is None
    assert source.rollup(SAMPLES, "device", ["highest_process_visibility:count"], **window) is None
    assert source.rollup("devices", "device", [], **window) is None
    assert source.rollup("execution.crashes", "device", [], **window) is None
    assert source.rollup("platform.audit_logs", "device", [], **window) is None
    with pytest.raises(KeyError):
        source.rollup("nonsense", "device", [], **window)
    store.abandon()


def test_a_sum_beyond_64_bits_is_not_told(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    huge = (1 << 62) + 5
    for sequence, day in enumerate((FIRST, FIRST + 1)):
        rows: list[Row] = [
            {"@device": "one", "start_time": day * DAY + row, "cpu_time": 7, "memory.sum": huge if day == FIRST else 1}
            for row in range(3)
        ]
        commit(store, rows, sequence)
    compact(store)
    window = {"start": FIRST * DAY, "end": (FIRST + 2) * DAY}
    for grain in ("device", "quarter"):
        whole = source_of(store).rollup(SAMPLES, grain, ["cpu_time:sum"], **window)
        assert whole is not None
        assert whole.covers == ((FIRST * DAY, (FIRST + 2) * DAY),)
        part = source_of(store).rollup(SAMPLES, grain, ["memory.sum:sum"], **window)
        assert part is not None
        assert part.covers == (((FIRST + 1) * DAY, (FIRST + 2) * DAY),)
        assert part.frame.collect()["memory.sum:sum"].to_list() == [3]
    commit(store, [{"@device": "one", "start_time": (FIRST + 1) * DAY, "memory.sum": huge}] * 3, 5)
    assert source_of(store).rollup(SAMPLES, "device", ["memory.sum:sum"], **window) is None
    store.abandon()


def test_a_small_day_has_no_states(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    chance = random.Random(1)
    commit(store, [sample(chance, 1) for _ in range(50)], 0)
    compact(store, rollup_rows=51)
    assert store.manifest.days[0].rollups == {}
    assert check(store, "device", FIRST * DAY, (FIRST + 1) * DAY) == ()
    store.abandon()


def test_daily_samples_are_stored_where_they_are_fewer(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    chance = random.Random(1)
    dense = [sample(chance, 1) | {"@binary": "one"} for _ in range(300)]
    sparse = [sample(chance, 1, 1) | {"@binary": f"binary-{row}"} for row in range(100)]
    commit(store, dense, 0)
    commit(store, sparse, 1)
    before = source_of(store).scan(SAMPLES, ["@row", "start_time", "cpu_time"], daily=True).collect().sort("@row")
    compact(store)
    assert [sorted(item.rollups) for item in sorted(store.manifest.days, key=lambda item: item.day)] == [
        ["daily", "device", "quarter"],
        ["device", "quarter"],
    ]
    after = source_of(store).scan(SAMPLES, ["@row", "start_time", "cpu_time"], daily=True).collect().sort("@row")
    assert after.equals(before)
    for path in (tmp_path / "lake").rglob(f"day={datetime.fromtimestamp(FIRST * 86_400, UTC):%Y-%m-%d}/*"):
        path.unlink()  # the day's own rows are not read
    assert source_of(store).scan(SAMPLES, ["@row"], daily=True).collect().height == before.height
    store.abandon()


@pytest.mark.parametrize("zone", ["UTC", "Africa/Abidjan", "Europe/London", "Europe/Zurich", "Asia/Kolkata"])
@pytest.mark.slow
def test_daily_samples_of_whole_days_are_taken_as_they_are(tmp_path: Path, zone: str) -> None:
    store = open_store(tmp_path, zone=zone)
    chance = random.Random(zone)
    names = ["@row", "@device", "@binary", "start_time", "end_time", "bucket_duration", "cpu_time", "memory.max"]
    names += ["gpu_usage.sum", "number_of_freezes"]
    commit(store, [sample(chance, 4) for _ in range(3_000)], 0)

    def asked(**window: int) -> pl.DataFrame:
        return source_of(store).scan(SAMPLES, names, daily=True, **window).collect().sort("@row")

    def grouped() -> bool:
        return "AGGREGATE" in source_of(store).scan(SAMPLES, names, daily=True).explain()

    windows: list[dict[str, int]] = [{}, {"start": FIRST * DAY + 1}, {"end": (FIRST + 3) * DAY - 1}]
    windows.append({"start": (FIRST + 1) * DAY, "end": (FIRST + 2) * DAY})
    before = [asked(**window) for window in windows]
    compact(store, most_rows=400)
    assert {len(item.rollups) for item in store.manifest.days} == {3}
    assert len(store.manifest.days) > 4
    for window, wanted in zip(windows, before, strict=True):
        assert asked(**window).equals(wanted)
    assert grouped() is (zone in ("Europe/Zurich", "Asia/Kolkata"))
    commit(store, [sample(chance, 1, 1) | {"cpu_time": 7} for _ in range(30)], 1)
    after = asked()
    assert grouped()
    assert after["cpu_time"].sum() == before[0]["cpu_time"].sum() + 7 * 30
    assert after.select("@device", "@binary", "start_time").n_unique() == after.height
    compact(store, most_rows=400)
    assert asked().equals(after)
    store.abandon()


def test_daily_samples_outlive_their_rows(tmp_path: Path) -> None:
    chance = random.Random(1)
    store = open_store(tmp_path)
    rows = [sample(chance, 2) | {"@binary": "one"} for _ in range(600)]
    commit(store, rows, 0)
    columns = ["@device", "start_time", "cpu_time", "memory.max"]
    before = source_of(store).scan(SAMPLES, columns, daily=True).collect().sort(columns)
    compact(store)
    store.abandon()

    def left(days: int) -> Store:
        """The store so many days after the first day's end, when something was sealed."""
        later = open_store(tmp_path, now=(FIRST + 1 + days) * DAY)
        commit(later, [sample(chance, 1, days)], days)
        later.seal()
        return later

    for days, rest in ((13, 2), (14, 1), (15, 0)):
        store = left(days)
        assert len(store.manifest.days) == rest
        assert store.manifest.lake.keys() == {SAMPLES}
        daily = source_of(store).scan(SAMPLES, columns, end=(FIRST + 2) * DAY, daily=True)
        assert daily.collect().sort(columns).equals(before)
        held = source_of(store).scan(SAMPLES, ["start_time"], end=(FIRST + 2) * DAY).collect()["start_time"] // DAY
        assert held.n_unique() == rest
        store.close()
        assert damaged(tmp_path) == []
    commit(store := left(16), [rows[0]], 100)  # a late row of what has left
    compact(store)
    again = source_of(store).scan(SAMPLES, columns, start=FIRST * DAY, end=(FIRST + 2) * DAY, daily=True).collect()
    assert again.height == before.height
    assert again["cpu_time"].sum() == before["cpu_time"].sum() + (rows[0]["cpu_time"] or 0)
    store.close()
    store = left(31)
    assert store.manifest.dailies == []
    assert not list((tmp_path / "rollups").glob("*2023-11-0*"))
    store.close()


def test_damaged_states_are_not_used_where_rows_are(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    chance = random.Random(1)
    commit(store, [sample(chance, 1) | {"@binary": "one"} for _ in range(300)], 0)
    compact(store)
    before = source_of(store).scan(SAMPLES, ["@row", "cpu_time"], daily=True).collect().sort("@row")
    store.close()
    for path in (tmp_path / "rollups").iterdir():
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    store = open_store(tmp_path)
    assert check(store, "device", FIRST * DAY, (FIRST + 1) * DAY) == ()
    assert source_of(store).scan(SAMPLES, ["@row", "cpu_time"], daily=True).collect().sort("@row").equals(before)
    assert sorted(damaged(tmp_path)) == sorted((tmp_path / "rollups").iterdir())
    store.abandon()
