"""What a scan touches, told by the manifest: never less than what it gives, and what lies in memory apart."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from storage.tables.read import SnapshotSource
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


def _holds_devices(source: SnapshotSource) -> None:
    found = source.extent("device.devices")
    assert found.rows == found.fresh == source.scan("device.devices", ["@id"]).collect().height > 0
