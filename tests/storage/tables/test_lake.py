"""Closed days in an object store: what is asked has the same answer wherever the files lie, nothing is lost at whatever
step the store fails, and nothing stays there that nobody names."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from storage.tables.days import DAY
from storage.tables.errors import LakeAway, SegmentCorrupt
from storage.tables.fakes import FaultyBucket
from storage.tables.lake import MARK, PLACE, here, lake_files
from storage.tables.mirror import IN_USE
from storage.tables.read import SnapshotSource
from storage.tables.rows import Batch, Rows
from storage.tables.scrub import Scrub
from storage.tables.sealed import Checked
from storage.tables.store import Store
from tests.storage.tables.lake_world import BATCHES, URL, World, missing
from tests.storage.tables.world import CATALOG, NOW, compact, open_store, problems, source_of


@pytest.fixture
def bucket() -> FaultyBucket:
    return FaultyBucket(URL)


@pytest.fixture
def world(tmp_path: Path, bucket: FaultyBucket) -> Iterator[World]:
    made = World(tmp_path / "tables", bucket)
    made.fill()
    yield made
    made.store.abandon()


def asked(store: Store) -> list[str]:
    """What is wrong with the answers of a process that has opened nothing yet."""
    return list(problems(SnapshotSource(store.snapshot(), CATALOG, checked=Checked()), BATCHES[:3]))


def test_files_go_to_the_lake_and_come_back_when_they_are_asked_for(world: World) -> None:
    assert world.look() == ""
    named = set(lake_files(world.store.manifest))
    assert world.there() == world.local() == named
    assert all((world.folder / name).read_bytes() == data for name, data in world.bucket.held.items() if name != MARK)
    assert world.mirror.state.files == len(named)
    world.mirror = world.mirrored(budget=0)
    assert world.look() == ""
    assert world.local() == set()
    assert world.mirror.state.bytes_here == 0
    assert asked(world.store) == []
    assert {name for name in world.local() if name.endswith(".parquet")}


def test_what_is_in_use_stays_and_what_was_used_longest_ago_goes_first(world: World) -> None:
    world.mirror = world.mirrored(budget=0, now=NOW)
    assert world.look() == ""
    assert world.local() == set(lake_files(world.store.manifest))
    ages = sorted(world.local())
    for age, name in enumerate(ages):
        path = world.folder / name
        stamp = path.stat().st_mtime_ns
        os.utime(path, ns=(age * 1_000_000_000, stamp))
    size = lake_files(world.store.manifest)[ages[0]].bytes
    whole = sum(item.bytes for item in lake_files(world.store.manifest).values())
    world.mirror = world.mirrored(budget=whole - size, now=IN_USE + len(ages) * 1_000_000)
    assert world.look() == ""
    assert world.local() == set(ages[1:])


class Watched(FaultyBucket):
    """Looks after each operation whether its logs are true."""

    wrong: set[str]

    def _do(self, work: Callable[[], object], partly: Callable[[], object] | None = None) -> None:
        try:
            super()._do(work, partly)
        finally:
            self.wrong = self.wrong | missing(self.held)


def history(folder: Path, bucket: FaultyBucket, at: int, *, late: bool, again: bool) -> World:
    """Days go to the lake, are written anew, leave the folder, are brought back, lose a device; the `at`-th operation
    of the lake fails, and then, if `again`, the process has forgotten what it knew."""
    bucket.at, bucket.late = at, late
    with contextlib.suppress(LakeAway):
        World(folder, bucket).store.abandon()
    world = World(folder, bucket)
    for first, last, budget in ((0, 3, 1 << 40), (3, 5, 0), (5, 6, 0)):
        try:
            world.fill(first, last)
        except LakeAway:
            world.lake.forgive()
            compact(world.store)  # as after a while
        if world.look() and again:
            world.mirror = world.mirrored(budget)
        world.mirror.close()
        world.mirror = world.mirrored(budget)
        world.look()
        world.look()
    return world


@pytest.mark.slow
def test_whichever_operation_of_the_lake_fails(tmp_path: Path) -> None:
    """Afterwards all goes on by itself: every row is there once, the lake has what is named and nothing else, and its
    logs never named what was not there."""
    counting = FaultyBucket(URL)
    history(tmp_path / "whole", counting, 0, late=False, again=False).store.abandon()
    assert counting.count > 40
    for at in range(1, counting.count + 1):
        bucket = Watched(URL)
        bucket.wrong = set()
        world = history(tmp_path / f"{at}", bucket, at, late=at % 2 == 0, again=at % 3 == 1)
        assert world.look() == ""
        assert bucket.wrong == set(), at
        left = {name for name in bucket.held if name != MARK and "_delta_log" not in name}
        assert left == world.there() == set(lake_files(world.store.manifest)), at
        assert list(problems(SnapshotSource(world.store.snapshot(), CATALOG, checked=Checked()), BATCHES)) == [], at
        world.store.abandon()


def test_while_the_lake_does_not_answer(world: World) -> None:
    assert world.look() == ""
    world.mirror = world.mirrored(budget=0)
    assert world.look() == ""
    world.bucket.down = True
    world.lake.forgive()
    times: dict[str, list[object]] = {
        "@device": ["device-0"], "start_time": [NOW + DAY], "end_time": [NOW + DAY + 1], "bucket_duration": [1]
    }  # fmt: skip
    world.store.commit([Batch("device-0", 1, "epoch", 99, NOW, (Rows("execution.events", times),))])
    source = SnapshotSource(world.store.snapshot(), CATALOG, checked=Checked())
    assert source.scan("execution.events", ["@row"], start=NOW + DAY).collect().height == 1
    with pytest.raises(LakeAway, match="does not answer") as told:
        source.scan("execution.events", ["@row"])
    assert told.value.holds.startswith("execution.events of 2023-11-")
    world.store.commit([BATCHES[3]])
    compact(world.store, until=0)
    assert "does not answer" in world.look()
    assert world.mirror.state.problem
    assert Scrub(world.folder).damaged == {}
    world.bucket.down = False
    assert world.look() == ""
    assert source_of(world.store).scan("execution.events", ["@row"]).collect().height == 4 * 5 + 1


def test_days_are_compacted_while_it_is_away_and_go_there_afterwards(world: World) -> None:
    world.bucket.down = True
    world.fill(3, 6)
    assert world.look()
    assert world.there() == set()
    world.mirror = world.mirrored(budget=0)
    assert world.look()
    assert world.local() == set(lake_files(world.store.manifest))  # nothing leaves that is nowhere else
    world.bucket.down = False
    assert world.look() == ""
    assert world.there() == set(lake_files(world.store.manifest))
    assert world.local() == set()


def test_a_file_that_a_snapshot_reads_stays_in_the_lake(world: World) -> None:
    assert world.look() == ""
    held = SnapshotSource(world.store.snapshot(), CATALOG, checked=Checked())
    before = set(lake_files(world.store.manifest))
    world.mirror = world.mirrored(budget=0)
    world.fill(3, 6)
    assert world.look() == ""
    after = set(lake_files(world.store.manifest))
    gone = before - after
    assert gone
    assert gone <= world.bucket.held.keys()
    for name in gone:
        (world.folder / name).unlink(missing_ok=True)
    assert list(problems(held, BATCHES[:3])) == []
    del held
    gc.collect()
    world.store.tidy()
    assert world.look() == ""
    assert not gone & world.bucket.held.keys()
    assert world.mirror.clean()


def test_a_file_is_taken_for_what_it_says_only(world: World) -> None:
    assert world.look() == ""
    name = next(name for name in lake_files(world.store.manifest) if name.endswith(".parquet"))
    digest = lake_files(world.store.manifest)[name].sha256
    whole = world.bucket.held[name]
    (world.folder / name).unlink()
    world.bucket.held[name] = whole[:-1] + bytes([whole[-1] ^ 1])
    with pytest.raises(SegmentCorrupt, match="not those that were written"):
        here(world.folder, name, digest)
    del world.bucket.held[name]
    with pytest.raises(SegmentCorrupt, match="neither here nor in"):
        here(world.folder, name, digest)
    assert not list((world.folder / name).parent.glob(".*"))
    world.bucket.held[name] = whole
    assert here(world.folder, name, digest)
    assert not here(world.folder, name, digest)


def test_what_the_lake_did_not_keep_as_it_was_given_does_not_leave_the_folder(world: World) -> None:
    class Wrong(FaultyBucket):
        def put(self, name: str, pieces: Iterable[bytes]) -> None:
            data = b"".join(pieces)
            super().put(name, [data if name == MARK else data[:-1] + bytes([data[-1] ^ 1])])

    world.bucket = Wrong(URL)
    (world.folder / PLACE).unlink()
    world.mirror = world.mirrored(budget=0)
    assert "not those that were written" in world.look()
    assert world.local() == set(lake_files(world.store.manifest))
    assert not world.mirror.clean() or world.there()


def test_a_log_that_was_made_again_replaces_the_one_there(world: World) -> None:
    assert world.look() == ""
    place = world.folder / "lake" / "execution.events" / "_delta_log"
    for entry in place.iterdir():
        entry.unlink()
    world.store.abandon()
    world.store = open_store(world.folder)
    world.mirror = world.mirrored(1 << 40)
    assert world.look() == ""
    ours = {f"lake/execution.events/_delta_log/{path.name}": path.read_bytes() for path in place.iterdir()}
    assert {name: data for name, data in world.bucket.held.items() if "/execution.events/_delta_log/" in name} == ours
