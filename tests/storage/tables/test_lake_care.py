"""What is done with a folder whose closed days lie in an object store: a backup has all of them, damage there is told,
an erasure leaves nothing there, and no two folders share one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.naming import naming
from storage.tables.api import LakeState, LocalTables, open_tables
from storage.tables.bucket import endpoint, root_of
from storage.tables.copying import hold
from storage.tables.doctor import findings
from storage.tables.errors import LakeAway, SegmentCorrupt, StorageFailed, WrongLake
from storage.tables.fakes import FaultyBucket
from storage.tables.lake import here, joined, lake_files, lake_of
from storage.tables.lake_care import leave
from storage.tables.mirror import IN_USE
from storage.tables.repair import repair
from storage.tables.rows import Batch, Rows
from storage.tables.scrub import Scrub
from tests.storage.tables.lake_world import BATCHES, URL, World, seen_in
from tests.storage.tables.world import CATALOG, NOW, clock, open_store, problems, source_of


@pytest.fixture
def bucket() -> FaultyBucket:
    return FaultyBucket(URL)


@pytest.fixture
def world(tmp_path: Path, bucket: FaultyBucket) -> Iterator[World]:
    made = World(tmp_path / "tables", bucket)
    made.fill()
    yield made
    made.store.abandon()


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


def test_the_slow_look_is_no_use_of_a_file(world: World) -> None:
    """Else what nobody asks for would stay here as if it were asked for."""
    before = {}
    for name in world.local():
        path = world.folder / name
        os.utime(path, ns=(1_000_000_000, path.stat().st_mtime_ns))
        before[name] = path.stat().st_atime_ns
    list(Scrub(world.folder).round())
    assert {name: (world.folder / name).stat().st_atime_ns for name in world.local()} == before


def test_what_a_killed_process_was_bringing_goes(tmp_path: Path, bucket: FaultyBucket) -> None:
    """Nothing is erased as long as it may hold something."""
    now = [NOW]

    async def scene() -> None:
        tables = await open_tables(tmp_path, CATALOG, clock=lambda: now[0], lake=URL, bucket=bucket)
        await tables.append(BATCHES[0])
        await tables.compact(1 << 62)
        part = tmp_path / "rollups" / ".x.arrow.0123.part"
        part.write_bytes(b"gioconda")
        os.utime(part, ns=(0, NOW * 1000))
        assert not await tables.erase("user.users", "user-0")
        assert part.exists()
        now[0] += 2 * IN_USE
        async with asyncio.timeout(30):
            while not await tables.erased():
                pass
        assert not part.exists()
        await tables.close()

    asyncio.run(scene())


def test_what_is_damaged_here_is_brought_anew(world: World) -> None:
    assert world.look() == ""
    flipped, kept = min(name for name in world.local() if name.endswith(".parquet")), world.store.manifest
    whole = (world.folder / flipped).read_bytes()
    (world.folder / flipped).write_bytes(whole[:-1])
    left = next(name for name in world.local() if name.endswith("-quarter.arrow"))
    (world.folder / left).unlink()
    world.store.abandon()
    assert list(repair(world.folder, CATALOG, clock)) == [f"{flipped} is brought anew from {URL}"]
    assert (world.folder / flipped).read_bytes() == whole
    assert not (world.folder / left).exists()
    del world.bucket.held[left]  # lost altogether: its rows make it again
    told = list(repair(world.folder, CATALOG, clock))
    assert [text for text in told if text.startswith("the states of ")] == told
    assert told
    world.store = open_store(world.folder)
    assert world.store.manifest.number > kept.number
    assert list(problems(source_of(world.store), BATCHES[:3])) == []


def test_a_folder_leaves_its_lake_with_all_that_is_there(world: World) -> None:
    world.mirror = world.mirrored(budget=0)
    assert world.look() == ""
    name = min(lake_files(world.store.manifest))
    whole = world.bucket.held[name]
    world.bucket.held[name] = whole[:-1]
    with pytest.raises(SegmentCorrupt, match="not those that were written"):
        leave(world.store.files, world.lake, world.store.manifest)
    world.bucket.held[name] = whole
    world.bucket.held["of-others.txt"] = b"x"
    there = len(world.bucket.held) - 2
    assert leave(world.store.files, world.lake, world.store.manifest) == there
    assert world.bucket.held == {"of-others.txt": b"x"}
    assert lake_of(world.folder) is None
    assert world.local() == set(lake_files(world.store.manifest))
    assert list(problems(source_of(world.store), BATCHES[:3])) == []


def test_bringing_files_leaves_room_for_the_journal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.look() == ""
    name, item = next(iter(lake_files(world.store.manifest).items()))
    (world.folder / name).unlink()
    monkeypatch.setattr("storage.tables.lake.LEAST_FREE", 1 << 60)
    with pytest.raises(LakeAway, match="too little room"):
        here(world.folder, name, item.sha256)
    assert not list((world.folder / name).parent.glob(".*"))


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
        assert b"gioconda" in seen_in(bucket.held)
        bucket.down = True
        with pytest.raises(StorageFailed, match="the lake is behind"):
            await tables.erase("user.users", "nobody", naming([], ["gioconda"]))
        assert b"gioconda" in seen_in(bucket.held)
        bucket.down = False
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(StorageFailed):
                    if await tables.erased():
                        break
        assert b"gioconda" not in seen_in(bucket.held)
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
