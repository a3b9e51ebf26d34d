"""What is erased is in no byte of the folder any more, and nothing else has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest

from storage.tables.api import Tables, open_tables
from storage.tables.files import Files
from tests.storage.tables.world import CATALOG, batch, clock, executions, open_store, problems, source_of

pytestmark = pytest.mark.slow

BATCHES = [batch(number) for number in range(9)]
GONE = "device-1"
OTHERS = [item for item in BATCHES if item.source != GONE]
OWN = [b"device-1", *(f"name {item.sequence}".encode() for item in BATCHES if item.source == GONE)]
OWN += [f"only in {item.sequence}".encode() for item in BATCHES if item.source == GONE]


async def filled(folder: Path, files: Files | None = None) -> Tables:
    """Days compacted, in segments and in the journal."""
    tables = await open_tables(folder, CATALOG, clock=clock, files=files)
    for item in BATCHES[:4]:
        await tables.append(item)
    await tables.compact(1 << 62)
    for item in BATCHES[4:7]:
        await tables.append(item)
    await tables.seal()
    for item in BATCHES[7:]:
        await tables.append(item)
    return tables


def found(folder: Path, *texts: bytes) -> list[str]:
    """Files with any of these bytes; nothing of ours is compressed so small that it would hide them all."""
    return [
        f"{path.name}: {text!r}" for path in folder.rglob("*") if path.is_file() for text in texts if text in seen(path)
    ]


def seen(path: Path) -> bytes:
    """The bytes of a file, and what a compressed one holds."""
    whole = path.read_bytes()
    if path.suffix == ".arrow":
        whole += str(pl.read_ipc(path).to_dicts()).encode()
    if path.suffix == ".parquet":
        whole += str(pl.read_parquet(path, hive_partitioning=False).to_dicts()).encode()
    return whole


def rest(folder: Path) -> pl.DataFrame:
    """The rows of the other devices, as they are answered."""
    store = open_store(folder)
    frame = executions(source_of(store)).filter(pl.col("devices") != GONE).sort("@row")
    store.abandon()
    return frame


def check(folder: Path, before: pl.DataFrame) -> None:
    assert found(folder, *OWN) == []
    assert rest(folder).equals(before)
    store = open_store(folder)
    source = source_of(store)
    assert [item for item in problems(source, OTHERS) if "gaps" not in item] == []
    assert sorted(source.scan("devices", ["uid"]).collect()["uid"]) == ["device-0", "device-2"]
    assert store.manifest.erasing == {}
    store.abandon()


@pytest.fixture
def before(tmp_path: Path) -> pl.DataFrame:
    async def fill() -> None:
        (await filled(tmp_path / "before")).abandon()

    asyncio.run(fill())
    assert found(tmp_path / "before", *OWN)
    return rest(tmp_path / "before")


def test_no_byte_is_left_and_nothing_else_changes(tmp_path: Path, before: pl.DataFrame) -> None:
    async def erase() -> None:
        tables = await filled(tmp_path / "store")
        assert await tables.erase("device.devices", GONE)
        assert found(tmp_path / "store", *OWN) == []
        assert await tables.erase("device.devices", "nobody")
        await tables.close()

    asyncio.run(erase())
    check(tmp_path / "store", before)


def test_who_comes_again_is_somebody_new(tmp_path: Path) -> None:
    async def erase() -> None:
        tables = await filled(tmp_path / "store")
        assert await tables.erase("device.devices", GONE)
        assert not (await tables.append(BATCHES[1])).duplicate
        await tables.close()

    asyncio.run(erase())
    store = open_store(tmp_path / "store")
    ids = source_of(store).scan("devices", ["@id", "uid"]).collect()
    assert ids.filter(uid=GONE)["@id"].to_list() == [3]
    assert list(problems(source_of(store), [*OTHERS, BATCHES[1]])) == ["ids of devices have gaps"]
    store.abandon()


def test_a_person(tmp_path: Path) -> None:
    async def erase() -> None:
        tables = await filled(tmp_path / "store")
        assert await tables.erase("user.users", "user-2")
        await tables.close()

    asyncio.run(erase())
    assert found(tmp_path / "store", b"user-2") == []
    store = open_store(tmp_path / "store")
    rows = executions(source_of(store))
    assert rows.height == 5 * len(BATCHES)
    assert "user-2" not in set(rows["users"])
    assert rows["users"].n_unique() > 3
    store.abandon()


def test_who_reads_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.tables.api.LOOKS", 2)

    async def erase() -> None:
        tables = await filled(tmp_path / "store")
        held = await tables.snapshot()
        assert not await tables.erase("device.devices", GONE)
        del held
        await tables.close()

    asyncio.run(erase())
    assert found(tmp_path / "store", *OWN) == []


def test_a_new_process_goes_on(tmp_path: Path, before: pl.DataFrame) -> None:
    """What was noted before a kill is done by who opens the folder next, without being asked."""

    async def fill() -> None:
        (await filled(tmp_path / "store")).abandon()

    asyncio.run(fill())
    store = open_store(tmp_path / "store")
    assert store.erase("device.devices", GONE)
    store.abandon()

    async def go_on() -> None:
        tables = await open_tables(tmp_path / "store", CATALOG, clock=clock)
        async with asyncio.timeout(60):
            while tables._store.manifest.erasing or tables._store.leaving:
                await tables.seal()
        await tables.close()

    asyncio.run(go_on())
    check(tmp_path / "store", before)
