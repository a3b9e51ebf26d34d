"""What is erased is in no byte of the folder any more, and nothing else has changed."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import polars as pl
import pytest

from storage.naming import ERASED, Naming, naming
from storage.tables.api import LocalTables, open_tables
from storage.tables.erasing import tasks, touched
from storage.tables.errors import StoreError
from storage.tables.fakes import FaultyFiles, PowerCutError
from storage.tables.files import Files
from storage.tables.rows import Batch, Rows
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, batch, clock, executions, open_store, problems, source_of

pytestmark = pytest.mark.slow

BATCHES = [batch(number) for number in range(9)]
GONE = "device-1"
OTHERS = [item for item in BATCHES if item.source != GONE]
OWN = [b"device-1", *(f"name {item.sequence}".encode() for item in BATCHES if item.source == GONE)]
OWN += [f"only in {item.sequence}".encode() for item in BATCHES if item.source == GONE]


async def filled(folder: Path, files: Files | None = None) -> LocalTables:
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


# --- words -----------------------------------------------------------------------------------------
PERSON = naming(["S-1-5-21-4711"], ["mona.lisa", "gioconda"])
SAID = [b"mona.lisa", b"gioconda", b"S-1-5-21-4711"]


def told(number: int) -> Batch:
    """What is said of a person elsewhere than in links to her."""
    outputs = [{"name": "who", "number": None, "real": None, "text": "gioconda", "texts": None}]
    typed = [{"name": "all", "number": None, "real": None, "text": None, "texts": ["root", "CORP\\mona.lisa"]}]
    return Batch(
        "portal", 0, "words", number, NOW + number,
        (
            Rows("user.users", {"uid": ["S-1-5-21-4711"], "name": ["mona.lisa"]}),
            Rows("device.devices", {"uid": ["device-0"], "login.last_login_user_name": ["gioconda"]}),
            Rows("device.local_admins", {"@device": ["device-0"] * 2, "name": ["gioconda", "root"]}),
            Rows("binary.binaries", {"uid": ["b"], "name": ["gioconda.exe"]}),
            Rows(
                "platform.audit_logs",
                {
                    "time": [NOW - number] * 2,
                    "account": ["mona.lisa", "device:S-1-5-21-4711"],
                    "action": ["run.created"] * 2,
                    "detail": ['{"target":"users | where name == \\"gioconda\\""}', '{"mona.lisa":1}'],
                },
            ),
            Rows(
                "remote_action.executions",
                {
                    "time": [NOW - number] * 2, "@device": ["device-0"] * 2, "@user": ["S-1-5-21-4711", None],
                    "outputs": [outputs, typed],
                },
            ),
            Rows(
                "campaign.responses",
                {"time": [NOW - number] * 2, "@user": ["S-1-5-21-4711", "user-1"], "comments": [None, None]},
            ),
        ),
    )  # fmt: skip


def test_words_that_name_a_person_go_from_all_other_rows(tmp_path: Path) -> None:
    async def erase() -> None:
        tables = await filled(tmp_path / "store")
        await tables.append(told(1))
        await tables.compact(1 << 62)
        await tables.append(told(2))
        await tables.seal()
        await tables.append(told(3))
        assert found(tmp_path / "store", *SAID)
        assert await tables.erase("user.users", "S-1-5-21-4711", PERSON)
        assert await tables.erase("user.users", "S-1-5-21-4711", PERSON)
        await tables.close()

    asyncio.run(erase())
    left = found(tmp_path / "store", *SAID)
    assert left, "an account of the portal keeps its name, a binary too"
    store = open_store(tmp_path / "store")
    source = source_of(store)
    log = source.scan("platform.audit_logs", ["account", "detail"]).collect()
    assert sorted(log["account"]) == [f"device:{ERASED}"] * 3 + ["mona.lisa"] * 3
    assert set(log["detail"]) == {f'{{"target":"users | where name == \\"{ERASED}\\""}}', '{"mona.lisa":1}'}
    ran = source.scan("remote_action.executions", ["outputs", "@user"]).collect()
    assert ran["@user"].null_count() == ran.height == 6
    outputs = [entry for row in ran["outputs"].to_list() for entry in row]
    assert {entry["text"] for entry in outputs} == {ERASED, None}
    assert {tuple(entry["texts"] or ()) for entry in outputs} == {(), ("root", f"CORP\\{ERASED}")}
    assert source.scan("campaign.responses", ["@user"]).collect().height == 3
    devices = source.scan("devices", ["uid", "login.last_login_user_name"]).collect()
    assert devices.filter(uid="device-0")["login.last_login_user_name"].to_list() == [ERASED]
    assert source.scan("device.local_admins", ["name"]).collect()["name"].to_list() == ["root"]
    assert "gioconda.exe" in source.scan("binaries", ["name"]).collect()["name"].to_list()
    assert store.manifest.words == []
    store.abandon()
    hidden = [item for item in left if not item.startswith(("platform.audit_logs", "binary.binaries", "part-"))]
    assert [item for item in hidden if "gioconda" in item] == []


def test_what_was_set_aside_as_damaged_goes(tmp_path: Path) -> None:
    async def erase() -> None:
        tables = await filled(tmp_path / "store")
        (tmp_path / "store" / "quarantine").mkdir()
        (tmp_path / "store" / "quarantine" / "journal-1.bin").write_bytes(b"device-1")
        assert await tables.erase("device.devices", GONE)
        await tables.close()

    asyncio.run(erase())
    assert list((tmp_path / "store" / "quarantine").iterdir()) == []


# --- a disk that fails -----------------------------------------------------------------------------
async def interrupted(folder: Path, files: FaultyFiles, words: Naming) -> None:
    """Erase until it succeeds, whatever stops it, in as many processes as it takes."""
    async with asyncio.timeout(60):
        while True:
            try:
                tables = await open_tables(folder, CATALOG, clock=clock, files=files)
            except OSError:
                files.heal()
                continue
            try:
                if await tables.erase("device.devices", GONE, words):
                    break
            except StoreError:
                tables.abandon()  # as who sees that it cannot go on
            files.heal()
    assert found(folder, *OWN) == []
    await tables.close()


@pytest.mark.parametrize("late", [False, True])
def test_any_failing_operation_only_delays_it(tmp_path: Path, before: pl.DataFrame, late: bool) -> None:
    """Every fifth operation of an erasure fails in a run of its own, for good until the folder is opened anew."""
    number = 1 + late
    while True:
        folder = tmp_path / f"store-{number}"

        async def once(folder: Path = folder, number: int = number) -> bool:
            files = FaultyFiles(tmp_path / "limbo", late=late, lasting=True)
            (await filled(folder)).abandon()
            files._at = number
            await interrupted(folder, files, naming([GONE]))
            return files.count >= number

        failed = asyncio.run(once())
        check(folder, before)
        if not failed:
            break
        number += 5
    assert number > 20


def erase_in_one_thread(store: Store) -> None:
    """All that the writer and the compaction do for an erasure."""
    store.erase("device.devices", GONE, naming([GONE]))
    by = store.compaction()
    while found := [less for task in tasks(store.manifest, store.schemas) if (less := touched(by, task)) is not None]:
        for task in found:
            assert store.flip(by.run(task))
    store.erased()
    store.tidy()


def test_any_power_cut_only_delays_it(tmp_path: Path, before: pl.DataFrame) -> None:
    """The power goes at every third operation, in a run of its own; then the disk has what a disk may have."""
    number, cut = 1, True
    while cut:
        folder, files = tmp_path / f"store-{number}", FaultyFiles(tmp_path / f"limbo-{number}", cut_at=number)

        async def fill(folder: Path = folder) -> None:
            (await filled(folder)).abandon()

        asyncio.run(fill())
        opened: list[Store] = []
        with contextlib.suppress(PowerCutError):
            opened.append(open_store(folder, files))
            erase_in_one_thread(opened[0])
        for left in opened:
            left.abandon()
        cut = files.dead
        files.lose(folder, number)
        store = open_store(folder)
        erase_in_one_thread(store)
        store.seal()
        store.abandon()
        check(folder, before)
        number += 3
    assert number > 50
