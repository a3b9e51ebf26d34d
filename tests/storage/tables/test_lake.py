"""Closed days in an object store: what is asked has the same answer wherever the files lie, nothing is lost at whatever
step the store fails, and nothing stays there that nobody names."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl
import pytest

from storage.naming import naming
from storage.tables.api import LakeState, LocalTables, open_tables
from storage.tables.bucket import endpoint, root_of
from storage.tables.copying import hold
from storage.tables.days import DAY
from storage.tables.doctor import findings
from storage.tables.errors import LakeAway, SegmentCorrupt, StorageFailed, WrongLake
from storage.tables.fakes import FaultyBucket
from storage.tables.lake import MARK, PLACE, here, joined, lake_files, lake_of
from storage.tables.mirror import IN_USE, Mirror
from storage.tables.read import SnapshotSource
from storage.tables.rows import Batch, Rows
from storage.tables.scrub import Scrub
from storage.tables.sealed import Checked
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, batch, clock, compact, open_store, problems, source_of

BATCHES = [batch(number) for number in range(6)]
URL = "s3://fake/estate"
LATER = 1 << 61  # long after every file was used last


class World:
    """A store with compacted days, its lake, and what keeps that as it should be."""

    def __init__(self, folder: Path, bucket: FaultyBucket, *, budget: int = 1 << 40, now: int = LATER) -> None:
        self.folder, self.bucket = folder, bucket
        self.store = open_store(folder)
        try:
            self.mirror = self.mirrored(budget, now)
        except LakeAway:
            self.store.abandon()
            raise

    def mirrored(self, budget: int, now: int = LATER) -> Mirror:
        """Another mirror, as after a restart."""
        lake = joined(self.store.files, self.folder, URL, self.bucket)
        assert lake is not None
        self.lake = lake
        return Mirror(lake, self.store.files, self.store.named, lambda: now, budget)

    def fill(self, first: int = 0, last: int = 3) -> None:
        """Store batches and compact them."""
        for item in BATCHES[first:last]:
            self.store.commit([item])
        compact(self.store)

    def look(self) -> str:
        """A look just after a failure, too; what is wrong."""
        self.lake.forgive()
        self.mirror.look()
        return self.mirror.state.problem

    def local(self) -> set[str]:
        """The closed days that lie in the folder."""
        return {name for name in lake_files(self.store.manifest) if (self.folder / name).exists()}

    def there(self) -> set[str]:
        """The closed days that lie in the lake, whole."""
        named = lake_files(self.store.manifest)
        return {name for name, item in named.items() if len(self.bucket.held.get(name, b"")) == item.bytes}


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


def missing(held: dict[str, bytes]) -> set[str]:
    """What the Delta logs of a bucket name and is not there whole."""
    found: dict[str, int] = {}
    for name in sorted(name for name in held if "/_delta_log/" in name):
        place = name.partition("_delta_log/")[0]
        for line in held[name].splitlines():
            action = json.loads(line)
            if "add" in action:
                found[place + action["add"]["path"]] = action["add"]["size"]
            if "remove" in action:
                found.pop(place + action["remove"]["path"])
    return {name for name, size in found.items() if len(held.get(name, b"")) != size}


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


def test_one_folder_has_a_lake_to_itself(tmp_path: Path, world: World) -> None:
    assert world.look() == ""
    other = open_store(tmp_path / "other")
    with pytest.raises(WrongLake, match="another data folder"):
        joined(other.files, other.folder, URL, world.bucket)
    assert lake_of(other.folder) is None
    strange = FaultyBucket("s3://fake/strange")
    strange.held["lake/x/day=2023-11-14/x.parquet"] = b"x"
    with pytest.raises(WrongLake, match="another data folder"):
        joined(other.files, other.folder, strange.url, strange)
    with pytest.raises(WrongLake, match="is s3://fake/estate, not s3://fake/more"):
        joined(world.store.files, world.folder, "s3://fake/more", FaultyBucket("s3://fake/more"))
    away = FaultyBucket("s3://fake/away")
    away.down = True
    with pytest.raises(LakeAway):
        joined(other.files, other.folder, away.url, away)
    assert lake_of(other.folder) is None
    other.abandon()


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


def test_a_backup_has_what_lies_in_the_lake_only(tmp_path: Path, world: World) -> None:
    world.mirror = world.mirrored(budget=0)
    assert world.look() == ""
    assert hold(world.folder, tmp_path / "copy") is not None
    assert world.local() == set()
    world.bucket.down = True
    copy = open_store(tmp_path / "copy")
    assert lake_of(copy.folder) is None
    assert list(problems(source_of(copy), BATCHES[:3])) == []
    copy.abandon()
    world.lake.forgive()
    with pytest.raises(LakeAway):
        hold(world.folder, tmp_path / "none")


def test_doctor_and_scrub_look_at_what_lies_in_the_lake(world: World) -> None:
    world.mirror = world.mirrored(budget=0)
    assert world.look() == ""
    assert [finding for finding in findings(world.folder, deep=True) if finding.problem] == []
    name = next(name for name in lake_files(world.store.manifest) if name.endswith(".parquet"))
    whole = world.bucket.held[name]
    world.bucket.held[name] = whole[:-1] + bytes([whole[-1] ^ 1])
    assert [finding for finding in findings(world.folder) if finding.problem] == []
    (wrong,) = (finding for finding in findings(world.folder, deep=True) if finding.problem)
    assert wrong.file.endswith(name)
    world.bucket.held[name] = whole[:-1]
    (wrong,) = (finding for finding in findings(world.folder) if finding.problem)
    assert wrong.file.endswith(name)
    scrub = Scrub(world.folder)
    list(scrub.round())
    assert list(scrub.damaged) == [name]
    assert scrub.damaged[name].lost
    world.bucket.down = True
    world.lake.forgive()
    (away,) = (finding for finding in findings(world.folder) if finding.problem)
    assert (away.file, "does not answer" in (away.problem or "")) == (URL, True)
    scrub = Scrub(world.folder)
    list(scrub.round())
    assert scrub.damaged == {}


def seen_in(bucket: FaultyBucket) -> bytes:
    """All that a bucket holds, uncompressed."""
    whole = b""
    for name, data in bucket.held.items():
        whole += data
        if name.endswith(".parquet"):
            whole += str(pl.read_parquet(data, hive_partitioning=False).to_dicts()).encode()
        if name.endswith(".arrow"):
            whole += str(pl.read_ipc(data).to_dicts()).encode()
    return whole


def test_an_erasure_leaves_nothing_in_the_lake(
    tmp_path: Path, bucket: FaultyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits while the lake is away, and says so."""
    monkeypatch.setattr("storage.tables.api.LOOKS", 3)
    monkeypatch.setattr("storage.tables.mirror.LOOK", 0.01)
    monkeypatch.setattr("storage.tables.lake.PAUSE", 0.0)
    said: dict[str, list[object]] = {
        "time": [NOW], "account": ["root"], "action": ["run.created"], "detail": ['{"target":"gioconda"}']
    }  # fmt: skip

    async def until(what: Callable[[LakeState], bool], tables: LocalTables) -> None:
        async with asyncio.timeout(30):
            while tables.lake is None or not what(tables.lake):
                await asyncio.sleep(0.01)

    async def scene() -> None:
        tables = await open_tables(tmp_path, CATALOG, clock=clock, lake=URL, bucket=bucket)
        await tables.append(BATCHES[0])
        await tables.append(Batch("portal", 0, "words", 1, NOW, (Rows("platform.audit_logs", said),)))
        await tables.compact(1 << 62)
        await until(lambda state: state.files > 1 and not state.waiting, tables)
        assert b"gioconda" in seen_in(bucket)
        bucket.down = True
        with pytest.raises(StorageFailed, match="the lake is behind"):
            await tables.erase("user.users", "nobody", naming([], ["gioconda"]))
        assert b"gioconda" in seen_in(bucket)
        bucket.down = False
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(StorageFailed):
                    if await tables.erased():
                        break
        assert b"gioconda" not in seen_in(bucket)
        await tables.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "url",
    [
        "file:///x",
        "s3://",
        "s3://bucket",
        "s3://UPPER/x",
        "s3://key:secret@bucket/x",
        "s3://bucket/../x",
        "s3://bucket/x?y",
        "s3://bucket/" + "x" * 501,
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"lake|bucket|prefix"):
        root_of(url)


def test_where_the_object_store_is(tmp_path: Path) -> None:
    assert root_of("s3://some-bucket/a/b_c=d/") == "some-bucket/a/b_c=d"
    assert endpoint({}) == {}
    assert endpoint({"AWS_ENDPOINT_URL": "http://minio:9000"}) == {"scheme": "http", "endpoint_override": "minio:9000"}
    with pytest.raises(OSError, match="AWS_ENDPOINT_URL"):
        endpoint({"AWS_ENDPOINT_URL_S3": "minio:9000"})
