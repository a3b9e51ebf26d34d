"""The tables of another process: the same answers, little over the wire, and nothing lost when the store changes.

Comes in: a store behind a socket in this process, and portals' sides of it. Goes out: what they are answered.
Invariant: a portal's side answers as the store itself does, and a batch is stored once however often it is sent.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from storage.tables import remote_wire
from storage.tables.api import LocalTables, Refused, SnapshotSource, StorageFailed, open_tables
from storage.tables.fence import Fence, FencedFiles
from storage.tables.remote import RemoteTables
from storage.tables.remote_server import StoreServer, address
from storage.tables.remote_snapshot import written
from storage.tables.snapshot import Snapshot
from tests.storage.tables.world import CATALOG, batch, clock, problems

SECRET = b"a secret"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[LocalTables, str]]:
    """A store behind a socket."""
    tables = await open_tables(folder / "tables", CATALOG, clock=clock)
    server = StoreServer(tables, SECRET)
    where = await server.start(f"unix:{folder / 'store.sock'}")
    try:
        yield tables, where
    finally:
        await server.close()
        await tables.close()


@asynccontextmanager
async def portal(folder: Path, where: str, secret: bytes = SECRET, patience: float = 5) -> AsyncIterator[RemoteTables]:
    """A portal's side."""
    remote = RemoteTables(folder / "tables", [where], secret, patience=patience)
    try:
        yield await remote.open()
    finally:
        await remote.close()


def source(snapshot: Snapshot) -> SnapshotSource:
    return SnapshotSource(snapshot, CATALOG)


def test_what_one_portal_stored_is_in_the_next_answer_of_another(tmp_path: Path) -> None:
    async def run() -> None:
        sent = []
        async with serving(tmp_path) as (local, where), portal(tmp_path, where) as a, portal(tmp_path, where) as b:
            assert a.zone == local.zone
            for number in range(12):
                sent.append(batch(number))
                ack = await (a, b)[number % 2].append(sent[-1])
                assert (ack.sequence, ack.duplicate) == (number, False)
                if number == 5:
                    await a.seal()
                for one in (a, b):
                    assert list(problems(source(await one.snapshot()), sent)) == []
            again = await b.append(sent[0])
            assert again.duplicate
            await a.compact(1 << 62)
            for one in (a, b):
                assert list(problems(source(await one.snapshot()), sent)) == []

    asyncio.run(run())


def test_what_is_refused_is_refused_with_its_reason(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (_, where), portal(tmp_path, where) as a:
            await a.append(batch(1))
            with pytest.raises(Refused, match="generation"):
                await a.append(replace(batch(2), generation=0, source="device-1"))

    asyncio.run(run())


@pytest.mark.slow
def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    async def run() -> None:
        tables = await open_tables(tmp_path / "tables", CATALOG, clock=clock)
        for number in range(6000):
            item = batch(number, device=f"device-{number}", rows=1)
            await tables.append(replace(item, rows=item.rows[:1]))  # two blocks of devices
        before = await tables.snapshot()
        whole = sum(map(len, written(None, before, 1, "s")[1]))
        same, blobs = written(before, await tables.snapshot(), 2, "s")
        assert blobs == []
        assert len(same) < 1000
        await tables.append(batch(6001, device="device-5999"))  # who is in the last block
        _, blobs = written(before, await tables.snapshot(), 3, "s")
        assert 0 < sum(map(len, blobs)) < whole / 1.5
        await tables.close()

    asyncio.run(run())


def test_files_stay_while_a_portal_reads_them_and_leave_when_it_is_done_or_gone(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (local, where), portal(tmp_path, where) as a:
            await a.append(batch(1))
            await a.seal()
            held = await a.snapshot()
            files = [held.folder / one.file for one in held.segments]
            await a.compact(1 << 62)
            await a.seal()
            assert all(path.exists() for path in files)
            assert list(problems(source(held), [batch(1)])) == []
            del held
            gc.collect()
            await a.snapshot()
            assert await a.erased()
            assert not any(path.exists() for path in files)
            await a.append(batch(4))
            await a.seal()
            held = await a.snapshot()
            files = [held.folder / one.file for one in held.segments]
            await a.compact(1 << 62)
            await a.close()  # as one that died: it says nothing of what it reads
            assert await local.erased()
            assert not any(path.exists() for path in files)
            del held

    asyncio.run(run())


def test_another_store_takes_over_and_what_was_under_way_is_stored_once(tmp_path: Path) -> None:
    async def run() -> None:
        acknowledged = []
        tables = await open_tables(tmp_path / "tables", CATALOG, clock=clock)
        server = StoreServer(tables, SECRET)
        where = await server.start(f"unix:{tmp_path / 'store.sock'}")
        async with portal(tmp_path, where) as a:

            async def send(number: int) -> None:
                await a.append(batch(number))
                acknowledged.append(number)

            versions = {(await a.snapshot()).version}
            waiting = [asyncio.create_task(send(number)) for number in range(200)]
            while len(acknowledged) < 50:
                await asyncio.sleep(0)
            tables.abandon()  # as a crash does: some are stored whose answer nobody hears
            await server.close()
            async with serving(tmp_path):
                await asyncio.gather(*waiting)
                snapshot = await a.snapshot()
                assert snapshot.version not in versions
                assert sorted(acknowledged) == list(range(200))
                # Sent at once, they arrive in any order: what devices said last is not fixed, what rows there are is.
                found = [said for said in problems(source(snapshot), map(batch, range(200))) if " is [(" not in said]
                assert found == []

    asyncio.run(run())


def test_a_connection_that_broke_while_nobody_asked_is_closed_before_the_next(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (_, where), portal(tmp_path, where) as a:
            await a.snapshot()
            link = a._link
            assert link is not None
            link._reader.feed_eof()  # as if the store had gone
            while not link.broken:
                await asyncio.sleep(0)
            await a.snapshot()
            assert a._link is not link
            assert link._writer.is_closing()

    asyncio.run(run())


def test_who_does_not_know_the_secret_is_told_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as (_, where):
            with pytest.raises(StorageFailed, match="secret"):
                async with portal(tmp_path, where, b"another", patience=0.2):
                    pass
            reader, writer = await asyncio.open_unix_connection(where[5:])
            writer.write(bytes([remote_wire.VERSION]) + bytes(32) + bytes(32) + b"\xff" * 64)
            assert len(await reader.read()) <= 33  # its own number, and no proof to guess from
            writer.close()
            await writer.wait_closed()

    asyncio.run(run())


def test_the_secret_is_the_owners_and_long_enough(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(StorageFailed, match="cannot be read"):
        remote_wire.shared_secret(path)
    path.write_text("x" * 40 + "\n")
    path.chmod(0o640)
    with pytest.raises(StorageFailed, match="chmod 600"):
        remote_wire.shared_secret(path)
    path.chmod(0o600)
    assert remote_wire.shared_secret(path) == b"x" * 40
    path.write_text("short")
    with pytest.raises(StorageFailed, match="5 bytes"):
        remote_wire.shared_secret(path)


def test_a_store_on_a_port(tmp_path: Path) -> None:
    async def run() -> None:
        tables = await open_tables(tmp_path / "tables", CATALOG, clock=clock)
        server = StoreServer(tables, SECRET)
        where = await server.start("127.0.0.1:0")
        async with portal(tmp_path, where) as a:
            await a.append(batch(1))
            assert list(problems(source(await a.snapshot()), [batch(1)])) == []
        await server.close()
        await tables.close()

    asyncio.run(run())


def test_a_store_that_nobody_runs_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        remote = RemoteTables(tmp_path, [f"unix:{tmp_path / 'none.sock'}"], b"", patience=0.2)
        with pytest.raises(StorageFailed, match="cannot be reached"):
            await remote.append(batch(1))
        await remote.close()

    asyncio.run(run())


@pytest.mark.parametrize("text", ["", "unix:", "host", "host:", ":1", "host:70000", "host:-1", "host:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        address(text)


def test_addresses() -> None:
    assert address("unix:/run/x.sock") == ("/run/x.sock", None)
    assert address("[::1]:80") == ("::1", 80)


def test_nothing_is_written_after_the_lease_was_over(tmp_path: Path) -> None:
    seconds = [0.0]
    fence = Fence(lambda: seconds[0])
    fence.renewed(fence.now(), 6)

    async def run() -> None:
        tables = await open_tables(tmp_path / "tables", CATALOG, clock=clock, files=FencedFiles(fence))
        await tables.append(batch(1))
        seconds[0] = 6.0  # it slept
        with pytest.raises(StorageFailed, match="lease"):
            await tables.append(batch(2))
        fence.renewed(fence.now(), 6)  # nobody else had it
        await tables.append(batch(3))
        fence.shut()
        before = {path: path.read_bytes() for path in (tmp_path / "tables").rglob("*") if path.is_file()}
        await tables.close()
        assert {path: path.read_bytes() for path in (tmp_path / "tables").rglob("*") if path.is_file()} == before
        again = await open_tables(tmp_path / "tables", CATALOG, clock=clock)
        assert list(problems(source(await again.snapshot()), [batch(1), batch(3)])) == []
        await again.close()

    asyncio.run(run())
