"""PostgreSQL where SQLite has one writer by nature: several processes on one database, a server that comes and goes.

Comes in: a server of the tests' own, and processes that are in each other's way. Goes out: one order of everything,
each thing once. Invariant: what was answered as written is there, what was refused is not, whatever happened to the
server meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from storage.control import audit, postgres
from storage.control.api import Control
from storage.control.database import Database
from storage.control.errors import RefusedError, UnavailableError
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.postgres import PASSWORD, Server, serving
from tests.storage.control.conftest import NOW, ask
from tests.storage.control.contender import DEVICES, ROUNDS

pytestmark = pytest.mark.slow
NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """A server that may be stopped."""
    with serving() as server:
        yield server


@pytest.fixture
def address(own: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return own.empty()


def contend(address: str) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.storage.control.contender", address]
    return [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for name in NAMES
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[dict[str, list[object]]]:
    told = []
    for process in processes:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        told.append(json.loads(out))
    return told


def check(control: Control, told: list[dict[str, list[object]]]) -> None:
    """One order, each thing once, nothing lost that was answered and nothing there that was refused."""
    assert control.audit.verify().broken is None
    subjects = [message.row["subject"] for message in control.outbox.after(0, 10_000) if message.table == "test"]
    assert sorted(subjects) == sorted(f"{name}-{number}" for name in NAMES for number in range(ROUNDS))
    logged = [entry.subject for entry in control.audit.latest(10_000) if entry.action == "test"]
    assert logged == subjects[::-1]  # the log and the messages of the same transactions have the same order
    assert sorted(str(device) for one in told for device in one["claimed"]) == sorted(DEVICES)
    assert told[0]["runs"] == told[1]["runs"] == told[2]["runs"]
    assert len(set(told[0]["runs"])) == ROUNDS
    tokens = [token for one in told for token in one["tokens"] if token is not None]
    assert len(tokens) >= ROUNDS


def test_processes_have_one_order_and_do_each_thing_once(address: str) -> None:
    control = Control(address, now=NOW)
    ask(control, *DEVICES)
    processes = contend(address)
    seen: list[int] = []
    while any(process.poll() is None for process in processes):
        new = [message.sequence for message in control.outbox.after(seen[-1] if seen else 0, 10_000)]
        seen += new  # whoever goes on after the last number it saw misses nothing
    told = ended(processes)
    seen += [message.sequence for message in control.outbox.after(seen[-1], 10_000)]
    assert seen == [message.sequence for message in control.outbox.after(0, 10_000)]
    assert not any(one["refused"] for one in told)
    check(control, told)
    control.close()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_server_that_is_restarted_under_load_loses_and_doubles_nothing(own: Server, address: str, how: str) -> None:
    control = Control(address, now=NOW)
    ask(control, *DEVICES)
    processes = contend(address)
    for share in (0.2, 0.5):
        while len(read(control)) < share * ROUNDS * len(NAMES):
            assert any(process.poll() is None for process in processes)
        own.stop(how)
        own.start()
    told = ended(processes)
    check(control, told)  # with the connections from before
    control.close()


def read(control: Control) -> list[object]:
    try:
        return [message for message in control.outbox.after(0, 10_000) if message.table == "test"]
    except UnavailableError:
        return []


def test_a_commit_whose_answer_was_lost_is_looked_up(address: str) -> None:
    database = Database(address)

    def marked(end: str) -> str:
        with database._engine.connect() as connection, connection.begin() as transaction:
            token = postgres.mark(connection, "w")
            getattr(transaction, end)()
        assert token is not None
        return token

    with database._engine.connect() as connection:
        for end, there in (("rollback", False), ("commit", True), ("rollback", False), ("commit", True)):
            assert postgres.committed(connection, "w", marked(end)) is there
    database.close()


def test_a_connection_cut_at_its_commit_tells_the_truth(own: Server, address: str) -> None:
    database = Database(address)

    def work(connection: Connection) -> None:
        audit.record(connection, audit.Entry(NOW, "portal", "test", "x", {}))
        mine = connection.scalar(text("SELECT pg_backend_pid()"))
        with database._readers.connect() as other:  # the commit that follows finds nobody
            other.execute(text("SELECT pg_terminate_backend(:mine)"), {"mine": mine})

    with pytest.raises(UnavailableError):
        database.write(work)
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit")) == 0
    database.write(lambda connection: audit.record(connection, audit.Entry(NOW, "portal", "test", "y", {})))
    database.close()


def test_a_commit_that_was_made_counts_though_its_answer_was_lost(own: Server, address: str) -> None:
    database = Database(address)
    cut: list[int] = []

    def commit_and_cut(connection: Connection) -> None:
        if not cut:
            cut.append(connection.connection.driver_connection.info.backend_pid)  # type: ignore[union-attr]
            connection.connection.commit()
            own.sql("postgres", f"SELECT pg_terminate_backend({cut[0]})")

    event.listen(database._engine, "commit", commit_and_cut)
    database.write(lambda connection: audit.record(connection, audit.Entry(NOW, "portal", "test", "x", {})))
    assert cut
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit")) == 1
    database.close()


def test_a_server_that_is_away_is_said_and_comes_back(own: Server, address: str) -> None:
    control = Control(address, now=NOW)
    own.stop()
    with pytest.raises(UnavailableError, match="cannot be used now"):
        control.check()
    with pytest.raises(UnavailableError):
        Control(address, now=NOW)
    own.start()
    control.check()
    control.close()


def test_threads_of_a_process_write_and_read_while_the_server_restarts(own: Server, address: str) -> None:
    control = Control(address, now=NOW)
    run = ask(control, *DEVICES)

    def serve(device: str) -> None:
        for step in (
            lambda: control.dispatch.claim_work(device, now=NOW, held=()),
            lambda: control.dispatch.record_finished(run.id, device, 1, Outcome(State.SUCCESS, 0xC0000005), now=NOW),
        ):
            while True:
                try:
                    step()
                    break
                except UnavailableError:
                    continue

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(serve, device) for device in DEVICES]
        own.stop("immediate")
        own.start()
        for one in waiting:
            one.result()
    assert control.executions.counts(run.id) == {run.id: {"success": len(DEVICES)}}
    finals = [m.row["@device"] for m in control.outbox.after(0, 10_000) if m.table == "remote_action.executions"]
    assert sorted(finals) == sorted(DEVICES)
    assert control.audit.verify().broken is None
    control.close()


def test_a_password_in_the_address_is_refused(address: str) -> None:
    for said in (f"postgresql://muster:{PASSWORD}@localhost/x", f"postgresql://localhost/x?password={PASSWORD}"):
        with pytest.raises(RefusedError, match="PGPASSWORD") as caught:
            Database(said.replace(" ", "%20"))
        assert "of the tests" not in str(caught.value)


def test_what_makes_nothing_durable_is_refused(own: Server, address: str) -> None:
    own.sql("postgres", "ALTER SYSTEM SET fsync = off")
    own.stop()
    own.start()
    try:
        with pytest.raises(RefusedError, match="fsync=off"):
            Database(address)
    finally:
        own.sql("postgres", "ALTER SYSTEM RESET ALL")
        own.stop()
        own.start()


def test_a_writer_asks_for_durable_commits_where_the_server_would_not(own: Server, address: str) -> None:
    name = address.partition("@/")[2].partition("?")[0]
    own.sql("postgres", f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = Database(address)
    assert database.write(lambda connection: connection.scalar(text("SHOW synchronous_commit"))) == "on"
    database.close()


def test_a_reader_cannot_write_and_sees_one_instant(address: str) -> None:
    database = Database(address)
    with database.read() as connection, pytest.raises(Exception, match="read-only"):
        connection.execute(text("DELETE FROM audit"))
    with database.one_instant(), database.read() as reader:
        before = reader.scalar(text("SELECT count(*) FROM audit"))
        with ThreadPoolExecutor(1) as thread:
            entry = audit.Entry(NOW, "portal", "test", "x", {})
            thread.submit(database.write, lambda connection: audit.record(connection, entry)).result()
        assert reader.scalar(text("SELECT count(*) FROM audit")) == before
    database.close()


def test_a_text_that_postgres_cannot_hold_is_refused_alone(address: str) -> None:
    control = Control(address, now=NOW)
    with pytest.raises(RefusedError, match="NUL"):
        control.audit.note(audit.Entry(NOW, "portal", "test", "a\0b", {}))
    control.audit.note(audit.Entry(NOW, "portal", "test", "ab", {"kept": "a\0b"}))
    assert control.audit.latest(1)[0].detail == {"kept": "a\0b"}
    control.close()


def test_two_that_open_an_empty_database_at_once_make_it_once(address: str, tmp_path: Path) -> None:
    code = f"import sys; from storage.control.api import Control; print(Control(sys.argv[1], now={NOW}).epoch)"
    both = [subprocess.Popen([sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    told = {process.communicate(timeout=60)[0].strip() for process in both}
    assert len(told) == 1
    assert all(process.returncode == 0 for process in both)


def test_the_newest_schema_is_fitted_to_what_the_program_means(address: str) -> None:
    database = Database(address)
    with database.read() as connection:
        kinds = (
            "SELECT DISTINCT data_type, collation_name FROM information_schema.columns WHERE table_schema = 'public'"
        )
        found = {
            tuple(row)
            for row in connection.execute(text(f"{kinds} AND table_name NOT IN ('alembic_version', 'commits')"))
        }
    assert found == {("bigint", None), ("text", "C"), ("boolean", None), ("bytea", None)}
    database.close()
