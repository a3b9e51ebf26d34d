"""What a scan touches, told by the manifest: never less than what it gives, and what lies in memory apart."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from storage.tables.read import SnapshotSource
from storage.tables.rollups import Grain
from tests.storage.tables.test_read import TABLE, commit, samples
from tests.storage.tables.world import compact, open_store, source_of

DAY = 86_400_000_000


def test_an_extent_follows_rows_from_memory_to_compacted_days(tmp_path: Path) -> None:
    rows = samples(ZoneInfo("UTC"), date(2023, 11, 10), 4)
    store = open_store(tmp_path, now=max(row["start_time"] for row in rows))
    commit(store, rows, 0)
    memory = source_of(store).extent(TABLE)
    assert (memory.rows, memory.files, memory.fresh) == (len(rows), (), len(rows))
    store.seal()
    sealed = source_of(store).extent(TABLE)
    assert (sealed.rows, sealed.fresh) == (len(rows), 0)
    compact(store)
    compacted = source_of(store).extent(TABLE)
    assert compacted.rows == len(rows)
    assert not set(compacted.files) & set(sealed.files)
    day = min(row["start_time"] for row in rows) // DAY * DAY
    inside = source_of(store).extent(TABLE, start=day, end=day + DAY)
    scanned = source_of(store).scan(TABLE, ["start_time"], start=day, end=day + DAY).collect()
    assert scanned.height == inside.rows < len(rows)
    _holds_devices(source_of(store))
    store.abandon()


def test_what_states_are_read_is_told_and_the_rows_where_there_are_none(tmp_path: Path) -> None:
    rows = samples(ZoneInfo("UTC"), date(2023, 11, 10), 4)
    store = open_store(tmp_path, now=max(row["start_time"] for row in rows))
    commit(store, rows, 0)
    first = min(row["start_time"] for row in rows) // DAY * DAY

    def told(grain: Grain, start: int = first, end: int = first + 4 * DAY) -> int:
        source = source_of(store)
        found = source.rollup(TABLE, grain, ["@rows"], start=start, end=end)
        covered = () if found is None else found.covers
        made = 0 if found is None else found.frame.select(pl.len()).collect().item()
        cuts = [start, *(cut for span in covered for cut in span), end]
        gaps = list(zip(cuts[::2], cuts[1::2], strict=True))
        left = sum(source.scan(TABLE, ["@row"], start=low, end=high).collect().height for low, high in gaps)
        known = source.stated(TABLE, grain, start=start, end=end)
        assert made + left <= known <= source.extent(TABLE, start=start, end=end).rows + made
        return known

    assert told("device") == told("quarter") == len(rows)
    compact(store)
    assert told("device") == 4 * 3  # devices
    assert told("quarter") == len({row["start_time"] for row in rows})
    assert told("device", start=first + 3_600_000_000) > 4 * 3  # a day that is not whole is read
    assert told("quarter", start=first + 3_600_000_000) <= told("quarter")
    assert told("quarter", end=first + 4 * DAY - 1) == told("quarter")  # which has all rows
    assert told("quarter", end=max(row["start_time"] for row in rows) - 1) > told("quarter")
    commit(store, rows[:3], 1)
    told("device")
    for window in ((first, first + 4 * DAY), (first + 1, first + 2 * DAY)):
        source = source_of(store)
        daily = source.scan(TABLE, ["@row"], start=window[0], end=window[1], daily=True).collect().height
        assert daily <= source.stated(TABLE, "daily", start=window[0], end=window[1]) <= len(rows) + 3
    store.abandon()


def _holds_devices(source: SnapshotSource) -> None:
    found = source.extent("device.devices")
    assert found.rows == found.fresh == source.scan("device.devices", ["@id"]).collect().height > 0
