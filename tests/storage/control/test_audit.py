"""The chain of the audit log: what was changed behind its back shows, and what it hands out stays the same."""

from __future__ import annotations

from typing import Any

import pytest

from storage.control import audit
from storage.control.api import Control
from storage.control.audit import Entry
from storage.control.errors import RefusedError
from tests.storage.control.conftest import NOW, ask

TRIGGERS = ("audit_no_update", "audit_no_delete")


def fill(control: Control, count: int, action: str = "test") -> None:
    entries = [Entry(NOW + n, "account:ann", action, f"s{n}", {"n": n}) for n in range(count)]
    control._database.write(lambda connection: audit.record_all(connection, entries))


def behind(control: Control, *statements: str) -> None:
    """What somebody does who has the database in hand."""

    def work(connection: Any) -> None:
        if connection.dialect.name == "sqlite":
            for name in TRIGGERS:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # which fires no trigger
        for statement in statements:
            connection.exec_driver_sql(statement)

    control._database.write(work)


def test_a_log_that_was_only_written_is_whole(control: Control) -> None:
    before = control.audit.verify()
    assert (before.broken, before.unhashed) == (None, 0)
    fill(control, 3)
    ask(control, "a", "b")
    found = control.audit.verify()
    assert (found.broken, found.entries, found.last) == (None, before.entries + found.last - before.last, found.last)
    assert len(found.head) == 64
    assert found.head != before.head


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit SET actor = 'account:bob' WHERE sequence = 5", "does not fit"),
        ("UPDATE audit SET time = time + 1 WHERE sequence = 5", "does not fit"),
        ("UPDATE audit SET detail = '{}' WHERE sequence = 5", "does not fit"),
        ("UPDATE audit SET subject = actor, actor = subject WHERE sequence = 5", "does not fit"),
        ("UPDATE audit SET hash = NULL WHERE sequence = 5", "has no hash"),
        ("DELETE FROM audit WHERE sequence = 4", "between 3 and it are missing"),
        ("UPDATE audit SET hash = NULL WHERE sequence < 5", "does not fit"),
    ],
)
def test_what_was_done_behind_its_back_shows(control: Control, statement: str, reason: str) -> None:
    fill(control, 9)
    behind(control, statement)
    found = control.audit.verify()
    assert found.broken == 5
    assert reason in found.reason


def test_an_entry_put_in_shows(control: Control) -> None:
    fill(control, 5)
    last = control.audit.verify().last
    columns = "sequence, time, actor, action, subject, detail, hash"
    behind(control, f"INSERT INTO audit ({columns}) VALUES ({last + 1}, 1, 'x', 'x', 'x', '{{}}', '0')")
    assert control.audit.verify().broken == last + 1


def test_an_end_that_was_cut_off_shows_beside_what_the_tables_have(control: Control) -> None:
    fill(control, 9)
    kept = control.audit.verify()
    sequence, _ = control.audit.next_group()
    control.audit.mark(sequence)
    behind(control, "DELETE FROM audit WHERE sequence > 6")
    found = control.audit.verify()
    assert (found.broken, found.head != kept.head) == (7, True)
    assert "cut off" in found.reason


def test_entries_from_before_the_chain_are_said(control: Control) -> None:
    fill(control, 4)
    behind(control, "UPDATE audit SET hash = NULL")
    older = control.audit.verify()
    assert (older.broken, older.unhashed, older.head) == (None, older.entries, "")
    fill(control, 3)
    found = control.audit.verify()
    assert (found.broken, found.unhashed, found.entries) == (None, older.entries, older.entries + 3)
    behind(control, f"UPDATE audit SET actor = 'x' WHERE sequence = {older.last + 2}")
    assert control.audit.verify().broken == older.last + 2


def test_the_chain_goes_on_after_a_write_that_failed(control: Control) -> None:
    def failing(connection: Any) -> None:
        audit.record(connection, Entry(NOW, "a", "b", "c", {}))
        raise RefusedError("no", "no")

    fill(control, 1)
    with pytest.raises(RefusedError):
        control._database.write(failing)
    fill(control, 2)
    assert control.audit.verify().broken is None


def test_a_group_for_the_tables_stays_until_it_is_marked(control: Control) -> None:
    fill(control, 5)
    first = control.audit.next_group(3)
    fill(control, 5)
    assert control.audit.next_group(1000) == first
    taken: list[Entry] = []
    while (group := control.audit.next_group(4))[0]:
        taken += group[1]
        control.audit.mark(group[0])
    sequences = [entry.sequence for entry in taken]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == control.audit.verify().last
    assert control.audit.next_group() == (0, [])


def test_what_executions_did_is_not_handed_out_twice(control: Control) -> None:
    fill(control, 3, "execution.success")
    fill(control, 1)
    taken = [entry.action for entry in control.audit.next_group()[1]]
    assert taken.count("test") == 1
    assert "execution.success" not in taken
