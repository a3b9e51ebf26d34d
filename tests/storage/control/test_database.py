"""The database itself: durability settings, migrations, group commit, the append-only log, a full disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from storage.control import audit, database
from storage.control.api import Control, open_control
from storage.control.columns import metadata
from storage.control.database import Database, newest
from storage.control.errors import RefusedError, UnavailableError
from storage.control.ids import is_uuid, uuid7
from storage.control.signing_key import signing_key
from tests.storage.control.conftest import NOW, ask, on_sqlite

ENTRY = audit.Entry(NOW, "portal", "test", "test", {})


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Not the table by which commits are looked up."""
    return (name, kind) != ("commits", "table")


def test_migrations_make_the_schema(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": ours})
        assert {"schedules", "authors"} <= set(metadata.tables)
        assert compare_metadata(context, metadata) == []


@pytest.mark.slow
def test_a_database_of_the_newest_schema_is_opened_without_the_migrations(tmp_path: Path) -> None:
    scripts = Path(database.__file__).parent / "migrations"
    assert newest(scripts) == ScriptDirectory(str(scripts)).get_current_head()
    Database(f"sqlite:///{tmp_path / 'x.db'}").close()
    code = "import sys, storage.control.database as d; d.Database(sys.argv[1]); print('alembic' in sys.modules)"
    for name, loaded in (("x.db", "False"), ("y.db", "True")):
        command = [sys.executable, "-c", code, f"sqlite:///{tmp_path / name}"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == loaded


def test_settings_of_both_connections(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")

    def pragmas(connection: Connection) -> list[object]:
        return [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert database.write(pragmas) == ["wal", 2, 1]
    with database.read() as connection:
        assert pragmas(connection) == ["wal", 2, 1]
        with pytest.raises(OperationalError, match="readonly"):
            connection.execute(text("DELETE FROM audit"))
    database.close()


@on_sqlite
def test_opens_again_and_refuses_a_newer_one(control: Control, tmp_path: Path) -> None:
    path = tmp_path / "control" / "control.db"
    control.close()
    again = open_control(path, now=NOW)
    assert again.epoch == control.epoch
    again.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RefusedError, match="newer version"):
        open_control(path, now=NOW)


def test_the_file_is_the_owners(tmp_path: Path) -> None:
    opened = open_control(tmp_path / "control" / "control.db", now=NOW)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "control").iterdir()} == {0}
    opened.close()


def test_the_log_is_append_only(database: Database) -> None:
    database.write(lambda c: audit.record(c, ENTRY))
    for change in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(IntegrityError, match="append only"):
            database.write(lambda c, change=change: c.execute(text(change)))  # type: ignore[misc]


def test_threads_share_a_commit_and_fail_alone(database: Database) -> None:
    together = Barrier(8)

    def write(number: int) -> int:
        together.wait()

        def work(connection: Connection) -> int:
            audit.record(connection, audit.Entry(NOW, "portal", "test", f"n{number}", {}))
            if number % 2:
                raise RefusedError("odd", str(number))
            return number

        try:
            return database.write(work)
        except RefusedError as error:
            return -int(str(error))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(8))) == [-7, -5, -3, -1, 0, 2, 4, 6]
    with database.read() as connection:
        subjects = sorted(connection.scalars(text("SELECT subject FROM audit")))
    assert subjects == ["n0", "n2", "n4", "n6"]


@on_sqlite
def test_a_full_disk_refuses_writes_and_recovers(control: Control) -> None:
    run = ask(control, "a")
    limit = "PRAGMA max_page_count"
    database = control._database
    pages = database._writer.exec_driver_sql("PRAGMA page_count").scalar()
    database._writer.rollback()
    database._writer.exec_driver_sql(f"{limit} = {pages}")
    database._writer.rollback()
    with pytest.raises(UnavailableError) as caught:
        ask(control, *map(str, range(3000)))
    assert caught.value.code == "storage_full"
    assert [found.id for found in control.runs.latest()] == [run.id]
    database._writer.exec_driver_sql(f"{limit} = 1000000")
    database._writer.rollback()
    assert ask(control, *map(str, range(3000))).device_count == 3000


def test_ids_sort_by_time() -> None:
    ids = [uuid7(NOW + n * 7) for n in range(2000)]
    assert ids == sorted(ids)
    assert all(is_uuid(i) and i[14] == "7" and i[19] in "89ab" for i in ids)
    assert len({uuid7(NOW) for _ in range(100)}) == 100
    assert not is_uuid(ids[0].upper())


def test_the_signing_key_stays(tmp_path: Path) -> None:
    path = tmp_path / "portal.key"
    first = signing_key(path).public_key().public_bytes_raw()
    assert signing_key(path).public_key().public_bytes_raw() == first
    assert [p.name for p in tmp_path.iterdir()] == ["portal.key"]
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(RefusedError) as caught:
        signing_key(path)
    assert caught.value.code == "wide_open_key"
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(RefusedError) as caught:
        signing_key(path)
    assert caught.value.code == "broken_key"
