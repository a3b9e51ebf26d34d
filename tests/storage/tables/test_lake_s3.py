"""A lake in a store that speaks S3, over HTTP: what lies there is what other engines read, what is erased is in no
object of it, and the folder can go on without it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import deltalake
import polars as pl
import pytest

from muster import lake as lake_command
from storage.naming import naming
from storage.tables.api import LakeState, LocalTables, open_tables
from storage.tables.bucket import S3Bucket
from storage.tables.compact import Task
from storage.tables.doctor import findings
from storage.tables.lake import MARK, lake_files, read_place
from storage.tables.read import SnapshotSource
from storage.tables.rows import Batch, Rows
from storage.tables.sealed import Checked
from storage.tables.worker import Worker
from tests.s3 import URL, object_store
from tests.storage.tables.lake_world import missing, seen_in
from tests.storage.tables.world import CATALOG, NOW, batch, clock, open_store, problems

pytestmark = pytest.mark.slow

BATCHES = [batch(number, rows=40) for number in range(4)]
TABLE = "execution.events"
COLUMNS = ["@row", "@device", "@binary", "start_time", "cpu_time"]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the object store answers."""
    with object_store(monkeypatch) as store:
        yield store.url


def held() -> dict[str, bytes]:
    """All that lies below the address."""
    bucket = S3Bucket(URL)
    return {name: b"".join(bucket.get(name)) for name in bucket.sizes()}


async def until(tables: LocalTables, what: Callable[[LakeState], bool]) -> None:
    """Wait for a state of the lake."""
    async with asyncio.timeout(60):
        while tables.lake is None or not what(tables.lake):
            await asyncio.sleep(0.02)


def test_a_lake_over_its_life(tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.tables.mirror.LOOK", 0.1)
    folder = tmp_path / "data" / "tables"
    said: dict[str, list[object]] = {
        "time": [NOW], "account": ["root"], "action": ["run.created"], "detail": ['{"target":"gioconda"}']
    }  # fmt: skip

    async def fill() -> None:
        tables = await open_tables(folder, CATALOG, clock=clock, lake=URL)
        for item in BATCHES:
            await tables.append(item)
        await tables.append(Batch("portal", 0, "words", 1, NOW, (Rows("platform.audit_logs", said),)))
        await tables.compact(1 << 62)
        number = len(lake_files(tables._store.manifest))
        await until(tables, lambda state: state.files == number and not state.problem)
        await tables.close()

    asyncio.run(fill())
    store = open_store(folder)
    named = lake_files(store.manifest)
    there = held()
    assert missing(there) == set()
    assert {name: len(data) for name, data in there.items() if name in named} == {
        name: item.bytes for name, item in named.items()
    }
    wanted = SnapshotSource(store.snapshot(), CATALOG, checked=Checked()).scan(TABLE, COLUMNS).collect().sort("@row")
    options = {"aws_endpoint_url": endpoint, "aws_allow_http": "true", "aws_region": "us-east-1",
               "aws_access_key_id": "key", "aws_secret_access_key": "secret"}  # fmt: skip
    others = pl.scan_delta(f"{URL}/lake/{TABLE}", storage_options=options).select(COLUMNS).collect().sort("@row")
    assert others.equals(wanted)
    assert deltalake.DeltaTable(f"{URL}/lake/{TABLE}", storage_options=options).version() >= 0
    for name in named:
        (folder / name).unlink()  # as if none of them had been used for long
    assert [finding for finding in findings(folder, deep=True) if finding.problem] == []
    assert list(problems(SnapshotSource(store.snapshot(), CATALOG, checked=Checked()), BATCHES)) == []
    for name in named:
        (folder / name).unlink(missing_ok=True)
    day = max(store.manifest.days, key=lambda item: item.rows)
    with contextlib.closing(Worker()) as worker:
        made = worker.run(store.compaction(), Task(day.table, day.day, (), (day,)))  # a process brings it, too
    assert sum(item.rows for item in made.days) == day.rows
    made.undo(store.files, folder)
    store.abandon()

    async def erase() -> None:
        tables = await open_tables(folder, CATALOG, clock=clock)
        async with asyncio.timeout(60):
            done = await tables.erase("user.users", "nobody", naming([], ["gioconda"]))
            while not done:
                done = await tables.erased()
        await tables.close()

    assert b"gioconda" in seen_in(held())
    asyncio.run(erase())
    assert b"gioconda" not in seen_in(held())
    for path in (folder / "lake").rglob("*.parquet"):
        path.unlink()
    url, objects = lake_command.leave(tmp_path / "data")
    assert (url, objects > 4, held(), read_place(folder)) == (URL, True, {}, None)
    store = open_store(folder)
    assert all((folder / name).exists() for name in lake_files(store.manifest))
    store.abandon()


def test_a_store_that_hangs_is_given_up(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks is told within bounded time."""
    monkeypatch.setattr("storage.tables.bucket.STALL_SECONDS", 1.0)
    monkeypatch.setattr("storage.tables.bucket.TRIES", 1)
    with contextlib.closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(OSError, match="Timeout"):
            S3Bucket(URL).sizes()


def test_objects(endpoint: str) -> None:
    bucket = S3Bucket(URL)
    assert bucket.sizes() == {}
    bucket.remove("never/there")
    with pytest.raises(FileNotFoundError):
        list(bucket.get("never/there"))
    whole = [bytes([number]) * (6 << 20) for number in range(3)]  # more than one request takes
    bucket.put("lake/a/b.parquet", iter(whole))
    bucket.put(MARK, [b""])
    assert bucket.sizes() == {"lake/a/b.parquet": 18 << 20, MARK: 0}
    assert bucket.sizes("lake/") == {"lake/a/b.parquet": 18 << 20}
    assert b"".join(bucket.get("lake/a/b.parquet")) == b"".join(whole)
    bucket.put("lake/a/c.parquet", [b"c"])
    bucket.remove("lake/a/b.parquet")
    assert bucket.sizes() == {"lake/a/c.parquet": 1, MARK: 0}
    bucket.remove_folder("lake")
    bucket.remove_folder("lake")
    assert bucket.sizes() == {MARK: 0}
