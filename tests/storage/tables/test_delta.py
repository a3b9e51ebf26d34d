"""The Delta logs say what the manifest says, once, to a reader that is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import deltalake
import polars as pl

from storage.tables.delta import APP, published
from storage.tables.doctor import findings
from storage.tables.fakes import FaultyFiles
from storage.tables.repair import repair
from storage.tables.store import Store
from tests.storage.tables.world import CATALOG, NOW, batch, compact, damaged, open_store, problems, source_of

TABLE = "execution.events"
BATCHES = [batch(number, rows=150) for number in range(6)]
COLUMNS = ["@device", "@binary", "start_time", "cpu_time", "@row", "memory.sum", "highest_process_visibility"]


def filled(folder: Path, files: FaultyFiles | None = None) -> Store:
    """A store with some compacted rows."""
    store = open_store(folder, files)
    for item in BATCHES[:3]:
        store.commit([item])
    compact(store)
    return store


def log_of(folder: Path) -> list[str]:
    """The names of the log's entries."""
    return sorted(path.name for path in (folder / "lake" / TABLE / "_delta_log").iterdir())


def others_read(folder: Path) -> pl.DataFrame:
    """What a reader of Delta tables finds."""
    return pl.scan_delta(str(folder / "lake" / TABLE)).collect()


def test_another_reader_finds_the_rows(tmp_path: Path) -> None:
    store = filled(tmp_path)
    table = deltalake.DeltaTable(str(tmp_path / "lake" / TABLE))
    assert table.version() == len(store.manifest.days) - 1
    assert table.transaction_version(APP) == store.manifest.number == published(tmp_path, TABLE)
    wanted = source_of(store).scan(TABLE, COLUMNS).collect().sort("@row")
    found = others_read(tmp_path).select(COLUMNS).sort("@row")
    assert found.equals(wanted)
    assert {field.name for field in table.schema().fields} == {
        *(column.name for column in CATALOG.tables[TABLE].stored()), "day"
    }  # fmt: skip
    store.close()


def test_late_rows_replace_the_files_of_their_day(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = set(deltalake.DeltaTable(str(tmp_path / "lake" / TABLE)).file_uris())
    for item in BATCHES[3:]:
        store.commit([item])
    compact(store)
    after = set(deltalake.DeltaTable(str(tmp_path / "lake" / TABLE)).file_uris())
    assert not before & after
    assert others_read(tmp_path).height == sum(item.rows[2].count for item in BATCHES)
    store.close()
    assert damaged(tmp_path) == []


def test_a_commit_is_made_once(tmp_path: Path) -> None:
    store = filled(tmp_path)
    entries = log_of(tmp_path)
    store.tidy()
    store.close()
    open_store(tmp_path).close()
    assert log_of(tmp_path) == entries


def test_what_a_failure_left_out_is_made_up_for(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path / "limbo", lasting=True)
    store = filled(tmp_path / "store", files)
    entries = log_of(tmp_path / "store")
    old = [item.file for item in store.manifest.days]
    for item in BATCHES[3:]:
        store.commit([item])
    store.seal()
    log = tmp_path / "store" / "lake" / TABLE / "_delta_log"
    log.rename(log.with_name("elsewhere"))
    log.write_text("in the way")
    compact(store)
    assert list(problems(source_of(store), BATCHES)) == []
    assert all((tmp_path / "store" / name).exists() for name in old)  # the log still names them
    assert damaged(tmp_path / "store") == []
    assert any("is behind" in finding.told for finding in findings(tmp_path / "store"))
    log.unlink()
    log.with_name("elsewhere").rename(log)
    store.tidy()
    assert len(log_of(tmp_path / "store")) == len(entries) + 1
    assert not any((tmp_path / "store" / name).exists() for name in old)
    assert others_read(tmp_path / "store").height == sum(item.rows[2].count for item in BATCHES)
    store.close()


def test_a_log_that_is_gone_or_damaged_is_made_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.close()
    log = tmp_path / "lake" / TABLE / "_delta_log"
    newest = log / log_of(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:-20])
    assert damaged(tmp_path) == [newest]
    assert list(repair(tmp_path, CATALOG, lambda: NOW)) == [f"the Delta log of {TABLE} is made again"]
    assert damaged(tmp_path) == []
    for path in log.iterdir():
        path.unlink()
    log.rmdir()
    assert damaged(tmp_path) == []  # it is behind, and made by the next opening
    open_store(tmp_path).close()
    assert damaged(tmp_path) == []
    assert others_read(tmp_path).height == sum(item.rows[2].count for item in BATCHES[:3])


def test_expired_days_leave_the_log(tmp_path: Path) -> None:
    filled(tmp_path).close()
    store = open_store(tmp_path, now=NOW + 40 * 86_400_000_000)
    store.commit([batch(50)])
    store.seal()
    assert store.manifest.days == []
    assert list((tmp_path / "lake").rglob("*.parquet")) == []
    assert others_read(tmp_path).height == 0
    store.close()
    assert damaged(tmp_path) == []


def test_a_new_column_is_told(tmp_path: Path) -> None:
    filled(tmp_path).close()
    first = tmp_path / "lake" / TABLE / "_delta_log" / log_of(tmp_path)[0]
    lines = [json.loads(line) for line in first.read_text().splitlines()]
    told = next(line["metaData"] for line in lines if "metaData" in line)
    columns = json.loads(told["schemaString"])
    columns["fields"] = [field for field in columns["fields"] if field["name"] != "number_of_freezes"]
    told["schemaString"] = json.dumps(columns)  # as a catalog without it had written
    first.write_text("".join(json.dumps(line) + "\n" for line in lines))
    store = open_store(tmp_path)
    store.commit([BATCHES[4]])
    compact(store)
    found = others_read(tmp_path)
    assert "number_of_freezes" in found.columns
    assert found.height == sum(item.rows[2].count for item in (*BATCHES[:3], BATCHES[4]))
    store.close()
