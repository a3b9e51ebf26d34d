"""Compaction: which days, what the files hold, that the flip is whole, and that nothing is lost by whatever ends it."""

from __future__ import annotations

import asyncio
import errno
import random
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec import structs

from storage.tables.api import Closed, open_tables
from storage.tables.compact import LATE_AFTER, QUIET, Stopped, Task, tasks
from storage.tables.days import DAY
from storage.tables.errors import SegmentCorrupt, StorageFull
from storage.tables.fakes import FaultyFiles
from storage.tables.files import Files
from storage.tables.manifest import Segment, write_manifest
from storage.tables.rows import Batch, Rows
from storage.tables.seal import Sealing
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, FOREVER, NOW, batch, compact, damaged, open_store, problems, source_of

BATCHES = [batch(number, rows=150) for number in range(12)]
TABLE = "execution.events"


def filled(folder: Path, batches: int = 6) -> Store:
    """A store with some sealed batches."""
    store = open_store(folder)
    for item in BATCHES[:batches]:
        store.commit([item])
        store.seal()
    return store


def waiting(store: Store, now: int = NOW, until: int | None = None) -> list[Task]:
    """The days to compact."""
    return list(tasks(store.snapshot(), store.schemas, now, until))


def test_rows_that_name_no_device_are_compacted(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    rows = Rows(TABLE, {"start_time": [NOW - 2 * DAY + late for late in (2, 0, 1)], "cpu_time": [1, 2, 3]})
    store.commit([Batch("import:test", 1, "epoch", 1, NOW, (rows,))])
    assert compact(store, most_rows=1) == 1
    (part,) = source_of(store).parts(TABLE, ["@device", "cpu_time"])
    assert part.frame.collect().rows() == [(None, 2), (None, 3), (None, 1)]
    store.close()


def test_days_lie_sorted_and_whole(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = source_of(store).scan(TABLE, list(CATALOG_COLUMNS)).collect().sort("@row")
    assert compact(store) == len({item.day for item in store.manifest.days}) > 1
    assert [item for item in store.manifest.segments if item.table == TABLE] == []
    source = source_of(store)
    assert source.scan(TABLE, list(CATALOG_COLUMNS)).collect().sort("@row").equals(before)
    for part in source.parts(TABLE, ["@device", "start_time", "@row"]):
        assert part.by_device
        frame = part.frame.collect()
        assert frame.height == part.rows
        assert frame.equals(frame.sort("@device", "start_time", "@row"))
        assert frame["@device"].flags["SORTED_ASC"]
    assert list(problems(source, BATCHES[:6])) == []
    assert damaged(tmp_path) == []
    store.close()
    store = open_store(tmp_path)
    assert list(problems(source_of(store), BATCHES[:6])) == []
    assert source_of(store).scan(TABLE, list(CATALOG_COLUMNS)).collect().sort("@row").equals(before)
    store.abandon()


CATALOG_COLUMNS = [column.name for column in CATALOG.tables[TABLE].stored()]


def test_a_large_day_becomes_files_of_ranges_of_devices(tmp_path: Path) -> None:
    store = filled(tmp_path)
    compact(store, most_rows=100)
    files: dict[int, list[pl.DataFrame]] = {}
    for part in source_of(store).parts(TABLE, ["@device"]):
        assert part.day is not None
        files.setdefault(part.day, []).append(part.frame.collect())
    assert max(map(len, files.values())) > 1
    for frames in files.values():
        held = [set(frame["@device"]) for frame in frames]
        assert sum(map(len, held)) == len(set().union(*held))
    assert list(problems(source_of(store), BATCHES[:6])) == []
    store.abandon()


def test_segments_in_order_are_cut_where_ranges_begin(tmp_path: Path) -> None:
    chance, day, made = random.Random(1), NOW // DAY - 2, list[Segment]()
    store = open_store(tmp_path)
    work = Sealing(store.files, tmp_path, store.schemas, store.manifest.next_file)
    every = range(400)
    devices = [chance.choice([None, *range(40)]) for _ in every]
    times = [day * DAY + chance.randrange(DAY) for _ in every]
    rows = pl.DataFrame({"@row": every, "@device": devices, "start_time": times, "cpu_time": every})
    for piece, least in enumerate((1, 1, 1_000, 1)):  # the third is not in order, the last has no device at all
        work.ordered_rows, some = least, rows[piece * 100 : piece * 100 + 100]
        made.append(work.segment(TABLE, day, [some.drop("@device") if piece == 3 else some], 0))
    assert [item.in_order for item in made] == [True, True, False, True]
    fields = structs.replace(store.manifest, number=9, segments=made, next_row=400, next_file=work.next_file)
    write_manifest(store.files, tmp_path, fields)
    store.abandon()
    store = open_store(tmp_path)
    rows = rows.with_columns(pl.when(pl.col("@row") < 300).then(pl.col("@device")))
    assert compact(store, most_rows=30) == 1
    parts = source_of(store).parts(TABLE, rows.columns)
    assert len(parts) > 5
    found = pl.concat(part.frame.collect() for part in parts)
    assert found.sort("@row").equals(rows)
    for part in parts:
        frame = part.frame.collect()
        assert frame.equals(frame.sort("@device", "start_time", "@row"))
    store.close()


@pytest.mark.parametrize("devices", [["one"], [None], [None, "one"], [None, *"abcdefgh"]])
def test_no_device_and_one_of_all_rows_are_ranges_too(tmp_path: Path, devices: list[str | None]) -> None:
    store = open_store(tmp_path)
    day = NOW // DAY * DAY
    for sequence in range(4):
        rows: dict[str, list[Any]] = {
            "@device": devices * 8,
            "start_time": [day + row for row in range(8 * len(devices))],
        }
        store.commit([Batch("import:x", 0, "e", sequence, NOW, (Rows(TABLE, rows),))])
        store.seal()
    before = source_of(store).scan(TABLE, ["@row", "@device", "start_time"]).collect().sort("@row")
    compact(store, most_rows=10)
    assert source_of(store).scan(TABLE, ["@row", "@device", "start_time"]).collect().sort("@row").equals(before)
    for part in source_of(store).parts(TABLE, ["@device", "start_time", "@row"]):
        frame = part.frame.collect()
        assert frame.equals(frame.sort("@device", "start_time", "@row"))
    if len(devices) > 2:
        found = source_of(store).rollup(TABLE, "device", [], start=day, end=day + DAY)
        assert found is not None
        wanted = before.group_by("@device").len().sort("@device").rows()
        assert found.frame.group_by("@device").sum().sort("@device").collect().rows() == wanted
    store.abandon()


def test_late_rows_are_seen_and_then_compacted_with_the_rest(tmp_path: Path) -> None:
    store = filled(tmp_path)
    compact(store)
    old = {item.file for item in store.manifest.days}
    for item in BATCHES[6:]:
        store.commit([item])
    assert list(problems(source_of(store), BATCHES)) == []
    store.seal()
    assert list(problems(source_of(store), BATCHES)) == []
    compact(store)
    assert list(problems(source_of(store), BATCHES)) == []
    assert not old & {item.file for item in store.manifest.days}
    assert sum(item.rows for item in store.manifest.days) == sum(item.rows[2].count for item in BATCHES)
    assert not [name for name in old if (tmp_path / name).exists()]
    store.close()
    assert damaged(tmp_path) == []


def test_a_day_waits_until_it_is_over_and_quiet(tmp_path: Path) -> None:
    store = filled(tmp_path)
    days = sorted({item.day for item in store.manifest.segments})
    end = (days[-1] + 1) * DAY
    assert [task.day for task in waiting(store, end + QUIET - 1)] == days[:-1]
    assert [task.day for task in waiting(store, end + QUIET)] == days
    assert [task.day for task in waiting(store, end, until=end)] == days
    assert [task.day for task in waiting(store, end, until=end - 1)] == days[:-1]
    store.abandon()


def test_few_late_rows_wait_until_there_are_more_or_they_waited_long(tmp_path: Path) -> None:
    store = filled(tmp_path, 12)
    compact(store)
    store.commit([batch(100, rows=2)])
    store.seal()
    assert waiting(store, NOW + 3 * QUIET) == []
    assert len(waiting(store, NOW + LATE_AFTER)) == 1
    for number in range(101, 110):
        store.commit([batch(number, rows=150)])
    store.seal()
    assert len(waiting(store, NOW + 3 * QUIET)) > 1
    store.abandon()


def test_what_was_merged_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    store = filled(tmp_path)
    first, *_ = waiting(store, until=FOREVER)
    made = store.compaction().run(first)
    compact(store)
    now = store.manifest
    assert not store.flip(made)
    assert store.manifest == now
    assert not [day.file for day in made.days if (tmp_path / day.file).exists()]
    assert list(problems(source_of(store), BATCHES[:6])) == []
    store.abandon()


def test_a_snapshot_keeps_what_compaction_replaced(tmp_path: Path) -> None:
    store = filled(tmp_path)
    source = source_of(store)
    frame = source.scan(TABLE, ["@row", "cpu_time"])
    compact(store)
    assert frame.collect().height == 900
    held = [tmp_path / item.file for item in source.snapshot.segments if item.table == TABLE]
    assert all(path.exists() for path in held)
    del source, frame
    store.tidy()
    assert not any(path.exists() for path in held)
    store.abandon()


def test_stopping_leaves_no_file(tmp_path: Path) -> None:
    store = filled(tmp_path)
    files = sorted(tmp_path.rglob("*.parquet"))
    task = max(waiting(store, until=FOREVER), key=lambda task: task.rows)
    for after in range(1, 100):
        left = iter(range(after))
        compaction = replace(store.compaction(lambda left=left: next(left, None) is None), rollup_rows=0)  # type: ignore[misc]
        try:
            made = compaction.run(task)
        except Stopped:
            assert sorted(tmp_path.rglob("*.parquet")) == files
            continue
        assert after > 4
        assert store.flip(made)
        break
    assert list(problems(source_of(store), BATCHES[:6])) == []
    store.abandon()


def test_a_damaged_segment_is_not_compacted(tmp_path: Path) -> None:
    store = filled(tmp_path)
    task = waiting(store, until=FOREVER)[0]
    path = tmp_path / task.segments[0].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SegmentCorrupt, match=path.name):
        store.compaction().run(task)
    assert list((tmp_path / "lake").rglob("*.parquet")) == []
    store.abandon()


def test_a_damaged_day_is_an_error_that_names_it(tmp_path: Path) -> None:
    store = filled(tmp_path)
    compact(store)
    store.close()
    for path in [*(tmp_path / "lake").rglob("*.parquet"), *(tmp_path / "rollups").iterdir()][::5]:
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert damaged(tmp_path) == [path]
        path.write_bytes(data)
    assert damaged(tmp_path) == []


def test_compaction_goes_on_beside_appends(tmp_path: Path) -> None:
    async def scene() -> None:
        tables = await open_tables(tmp_path, CATALOG, clock=lambda: NOW)
        await asyncio.gather(*(tables.append(item) for item in BATCHES[:6]))
        await asyncio.gather(tables.compact(FOREVER), *(tables.append(item) for item in BATCHES[6:]), tables.compact())
        await tables.compact(FOREVER)
        snapshot = await tables.snapshot()
        assert {item.table for item in snapshot.days} == {TABLE}
        assert sum(item.rows for item in snapshot.days) == sum(item.rows[2].count for item in BATCHES)
        await tables.close()
        with pytest.raises(Closed):
            await tables.compact()

    asyncio.run(scene())
    store = open_store(tmp_path)
    assert list(problems(source_of(store), BATCHES)) == []
    store.abandon()


class HeldUp(Files):
    """A disk that makes no Parquet file before it is told to."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def create(self, path: Path) -> int:
        """As in Files, later."""
        if path.suffix == ".parquet":
            self.asked.set()
            self.go_on.wait(30)
        return super().create(path)


def test_closing_gives_up_a_compaction(tmp_path: Path) -> None:
    files = HeldUp()

    async def scene() -> None:
        tables = await open_tables(tmp_path, CATALOG, clock=lambda: NOW, files=files)
        await tables.append(BATCHES[0])
        wish = asyncio.create_task(tables.compact(FOREVER))
        await asyncio.to_thread(files.asked.wait, 30)
        await tables.append(BATCHES[1])
        closing = asyncio.create_task(tables.close())
        with pytest.raises(Closed):
            await wish
        files.go_on.set()
        await closing

    asyncio.run(scene())
    assert list(tmp_path.rglob("*.parquet")) == []
    store = open_store(tmp_path)
    assert list(problems(source_of(store), BATCHES[:2])) == []
    store.abandon()


def test_days_are_compacted_by_themselves(tmp_path: Path) -> None:
    now = [NOW]

    async def scene() -> None:
        tables = await open_tables(tmp_path, CATALOG, clock=lambda: now[0])
        await tables.append(BATCHES[0])
        await tables.seal()
        await tables.compact(0)
        assert not (await tables.snapshot()).days
        now[0] += 3 * DAY
        await tables.append(BATCHES[1])  # lets the writer look at the clock
        await tables.compact(0)  # is answered after what is under way
        assert (await tables.snapshot()).days
        await tables.close()

    asyncio.run(scene())


def test_a_failed_compaction_is_told_and_loses_nothing(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "limbo", code=errno.ENOSPC, lasting=True)

    async def scene() -> None:
        tables = await open_tables(tmp_path / "store", CATALOG, clock=lambda: NOW, files=files)
        for item in BATCHES[:4]:
            await tables.append(item)
        await tables.seal()
        files.fail_from_now()
        with pytest.raises(StorageFull):
            await tables.compact(FOREVER)
        files.heal()
        assert not (await tables.snapshot()).days
        await tables.compact(FOREVER)
        assert (await tables.snapshot()).days
        await tables.close()

    asyncio.run(scene())
    store = open_store(tmp_path / "store")
    assert list(problems(source_of(store), BATCHES[:4])) == []
    store.abandon()
