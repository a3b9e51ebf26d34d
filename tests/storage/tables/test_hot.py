"""Hot columns change nothing but the time: the same rows, whatever of them is there, damaged, or over the budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from storage.tables.days import DAY
from storage.tables.hot import CACHE, EVICTED, READS, HotColumns
from storage.tables.read import SnapshotSource
from storage.tables.rows import MAX_ROWS, Ack, Batch, Rows
from storage.tables.seal import ORDERED_ROWS
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, batch, compact, open_store

TABLE = "execution.events"
COLUMNS = ["@row", "@device", "cpu_time", "highest_process_visibility", "memory.sum"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of two compacted days."""
    store = open_store(tmp_path)
    for number in range(4):
        store.commit([batch(number, rows=150)])
    compact(store)
    yield store
    store.abandon()


def ask(store: Store, hot: HotColumns, columns: list[str] | None = None, start: int | None = None) -> pl.DataFrame:
    """A scan, and what it causes."""
    source = SnapshotSource(store.snapshot(), CATALOG, hot=hot)
    frame = source.scan(TABLE, columns or COLUMNS, start=start).collect().sort("@row")
    hot.settle()
    return frame


def files(store: Store) -> list[Path]:
    """The files of the cache."""
    return sorted((store.folder / CACHE).glob("*"))


def test_what_is_read_twice_is_kept_and_the_same(store: Store) -> None:
    hot = HotColumns(least_rows=1)
    first = ask(store, hot)
    assert files(store) == []
    assert ask(store, hot).equals(first)
    assert len(files(store)) == 4 * len(store.manifest.days)  # memory.sum is null throughout
    parts = SnapshotSource(store.snapshot(), CATALOG, hot=hot).parts(TABLE, COLUMNS)
    assert not any("Parquet" in part.frame.explain() for part in parts)
    parts = SnapshotSource(store.snapshot(), CATALOG, hot=hot).parts(TABLE, [*COLUMNS, "bucket_duration"])
    assert all("Parquet" in part.frame.explain() for part in parts)


def test_windows_and_sorting_hold(store: Store) -> None:
    hot, cold = HotColumns(least_rows=1), HotColumns(0)
    start = NOW - 20 * 900_000_000
    for _ in range(READS + 1):
        assert ask(store, hot, start=start).equals(ask(store, cold, start=start))
    assert ask(store, hot).equals(ask(store, cold))
    source = SnapshotSource(store.snapshot(), CATALOG, hot=hot)
    for part in source.parts(TABLE, ["@device", "start_time", "@row"]):
        frame = part.frame.collect()
        assert part.by_device
        assert frame["@device"].flags["SORTED_ASC"]
        assert frame.equals(frame.sort("@device", "start_time", "@row"))


def test_large_segments_lie_in_order_and_are_kept_too(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = ORDERED_ROWS + 10
    markers = range(rows)
    columns: dict[str, list[object]] = {
        "@device": [None if marker % 9 == 0 else f"device-{marker * 7919 % 50}" for marker in markers],
        "start_time": [NOW - marker * 31 % 40 * 900_000_000 - (DAY if marker < 5 else 0) for marker in markers],
        "cpu_time": list(markers),
    }
    for first in range(0, rows, MAX_ROWS):
        piece = {name: values[first : first + MAX_ROWS] for name, values in columns.items()}
        sent = Batch("import:test", 1, "epoch", first, NOW, (Rows(TABLE, piece),))
        assert isinstance(store.commit([sent])[0], Ack)
    wanted = ask(store, HotColumns(0), ["@row", "@device", "start_time", "cpu_time"])
    store.seal()
    assert sum(item.in_order for item in store.manifest.segments) == 1
    hot = HotColumns()
    for _ in range(READS + 1):
        assert ask(store, hot, wanted.columns).equals(wanted)
    parts = SnapshotSource(store.snapshot(), CATALOG, hot=hot).parts(TABLE, ["@device", "start_time", "@row"])
    assert sorted(part.by_device for part in parts) == [False, True]
    for part in parts:
        frame = part.frame.collect()
        assert frame.height == part.rows
        if part.by_device:
            assert "IPC SCAN" not in part.frame.explain().upper()
            assert frame["@device"].flags["SORTED_ASC"]
            assert frame.equals(frame.sort("@device", "start_time", "@row"))
    store.close()


def test_another_process_finds_them_and_checks_them(store: Store) -> None:
    hot = HotColumns(least_rows=1)
    wanted = ask(store, hot)
    ask(store, hot)
    kept = {path: path.stat().st_ino for path in files(store)}
    damaged = next(path for path in kept if "cpu_time" in path.name)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    later = HotColumns(least_rows=1)
    assert ask(store, later).equals(wanted)
    assert ask(store, later).equals(wanted)
    now = {path: path.stat().st_ino for path in files(store)}
    assert now.keys() == kept.keys()
    assert [path for path in kept if now[path] != kept[path]] == [damaged]


def test_the_budget_is_kept(store: Store) -> None:
    hot = HotColumns(9_000, least_rows=1)
    wanted = ask(store, HotColumns(0))
    sizes = []
    for _ in range(READS - EVICTED + 2):
        assert ask(store, hot).equals(wanted)
        sizes.append(sum(path.stat().st_size for path in files(store)))
    assert 0 < max(sizes) <= 9_000


def test_nothing_is_kept_of_small_files_or_without_a_budget(store: Store) -> None:
    for hot in (HotColumns(), HotColumns(0, least_rows=1)):
        for _ in range(READS + 1):
            ask(store, hot)
        assert not (store.folder / CACHE).exists()
    with pytest.raises(ValueError, match="budget"):
        HotColumns(-1)


def test_a_disk_that_takes_nothing_is_no_error(store: Store) -> None:
    (store.folder / CACHE).write_text("in the way")
    hot = HotColumns(least_rows=1)
    wanted = ask(store, hot)
    for _ in range(READS + 1):
        assert ask(store, hot).equals(wanted)


def test_what_is_at_hand_says_its_bounds_and_how_many_rows_each_device_has(store: Store) -> None:
    hot = HotColumns(least_rows=1)
    source = SnapshotSource(store.snapshot(), CATALOG, hot=hot)
    assert all(part.runs is None and not part.bounds for part in source.parts(TABLE, COLUMNS))
    for _ in range(READS):
        ask(store, hot, [*COLUMNS, "start_time"])
    for part in SnapshotSource(store.snapshot(), CATALOG, hot=hot).parts(TABLE, COLUMNS):
        rows = part.frame.collect()
        assert part.bounds["cpu_time"] == (rows["cpu_time"].min(), rows["cpu_time"].max())
        assert "memory.sum" not in part.bounds
        assert part.runs is not None
        assert part.runs.rows() == rows.group_by("@device", maintain_order=True).len().rows()
    edge = NOW - 20 * 900_000_000
    for window in ((edge, None), (None, edge), (edge - 900_000_000, edge)):
        source = SnapshotSource(store.snapshot(), CATALOG, hot=hot)
        for part in source.parts(TABLE, COLUMNS, start=window[0], end=window[1]):
            rows = part.frame.collect()
            if part.runs is None:  # what is inside are neither the first nor the last rows
                assert None not in window
                continue
            if part.whole is not None and part.inside is not None:
                assert rows.height < part.rows
                assert part.whole.collect().filter(part.inside.collect().to_series()).equals(rows)
            assert part.runs["len"].sum() == part.rows


def test_a_budget_can_be_set_later_and_has_bounds(store: Store) -> None:
    hot = HotColumns(0, least_rows=1)
    for _ in range(READS):
        ask(store, hot)
    assert files(store) == []
    hot.budget = 1 << 20
    for _ in range(READS):
        ask(store, hot)
    assert files(store)
    with pytest.raises(ValueError, match="the budget of hot columns"):
        hot.budget = -1
    assert hot.budget == 1 << 20
