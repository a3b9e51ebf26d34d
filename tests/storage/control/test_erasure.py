"""An erased device or person is in no row of the control database and no byte of its files; the log stays a chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from storage.control import audit, schema
from storage.control.api import Control, open_control
from storage.control.audit import BLANKED, Entry
from storage.control.enrolment import Device
from storage.control.erasure import ASKED, CONTROL_ERASED, DONE, REVOKED, TABLES_ERASED, Erasure
from storage.control.errors import NotFoundError, RefusedError
from storage.control.outcomes import Outcome
from storage.control.presence import Move
from storage.control.roles import Rights
from storage.control.states import State
from storage.control.tombstones import DEVICE, PERSON
from storage.naming import ERASED, Naming, naming
from tests.storage.control.conftest import HOUR, NOW, ask, enrol
from tests.storage.control.template import place

ANN = "account:ann"
TABLES = (schema.runs, schema.executions, schema.execution_history, schema.audit, schema.outbox, schema.devices,
          schema.enrol_keys, schema.presence)  # fmt: skip


def ended(control: Control, run: str, device: str, **outputs: Any) -> None:
    control.dispatch.claim_work(device, now=NOW)
    control.dispatch.record_started(run, device, 1, started_at=NOW, now=NOW)
    outcome = Outcome(State.SUCCESS, exit_code=0, outputs=outputs, error=f"{device} said so")
    control.dispatch.record_finished(run, device, 1, outcome, now=NOW)


def fill(control: Control, device: Device, other: Device) -> str:
    """Everything that can be of a device; the run it is in."""
    text = f'devices | where name == "{device.name}"'
    run = ask(control, device.uid, other.uid, target_text=text, reason=f"as {device.name} is slow")
    ended(control, run.id, device.uid, freed=1)
    ended(control, run.id, other.uid, freed=2)
    alone = ask(control, device.uid, idempotency_key=f"only {device.name}")
    control.presence.write([Move(device.uid, NOW), Move(other.uid, NOW)], now=NOW)
    control.roles.put("Lyon", Rights(frozenset({"query"}), None, f'name == "{device.name}"'), by=ANN, now=NOW)
    control.enrolment.hold(device.uid, "trail", now=NOW)
    control.enrolment.create_enrol_keys(
        1, simulated=False, expires_at=NOW + HOUR, by=ANN, now=NOW, devices=[device.uid]
    )
    assert alone.id != run.id
    return run.id


def erase(control: Control, kind: str, key: str, words: Naming) -> Erasure:
    """All that is done here."""
    asked = control.erasures.ask(kind, key, by=ANN, now=NOW)
    if kind == DEVICE:
        control.revoke_device(key, by=ANN, now=NOW)
    control.erasures.revoked(asked.id, words, now=NOW)
    control.erasures.erase_here(asked.id, now=NOW)
    control.erasures.tables_erased(asked.id, now=NOW)
    assert control.erasures.clean()
    control.erasures.finish(asked.id, now=NOW)
    return control.erasures.erasure(asked.id)


def everything(control: Control) -> str:
    with control._database.read() as connection:
        rows = [connection.execute(table.select()).all() for table in TABLES]
    return "\n".join(repr(row) for some in rows for row in some)


def test_nothing_is_left_of_a_device(control: Control) -> None:
    device, other = enrol(control, 1), enrol(control, 2)
    run = fill(control, device, other)
    words = control.erasures.names_of(device.uid)
    assert words == naming([device.uid, device.collector_uid], ["pc-1"])
    found = control.erasures.found(DEVICE, device.uid, words)
    assert found.counts["executions"] == 2
    assert found.counts["presence"] == 1
    assert found.counts["audit_entries"] > 5
    assert found.written == ["role:Lyon"]
    head = control.audit.verify()
    done = erase(control, DEVICE, device.uid, words)
    assert (done.state, done.subject, done.words, done.done_at) == (DONE, None, None, NOW)
    assert done.report["executions"] == 2
    left = everything(control)
    assert [word for word in (device.uid, device.collector_uid, "pc-1") if word in left] == []
    assert other.uid in left
    assert ERASED in left
    assert control.enrolment.device(device.uid) is None
    assert control.enrolment.device(other.uid) is not None
    assert [one.device for one in control.executions.of_run(run)] == [other.uid]
    assert control.runs.run(run).target_text == f'devices | where name == "{ERASED}"'
    verified = control.audit.verify()
    assert (verified.broken, verified.head != head.head) == (None, True)
    assert verified.blanked == done.report["audit_entries"] > 5


def test_a_device_that_is_erased_does_not_come_back_by_its_key(control: Control) -> None:
    device = enrol(control, 1)
    erase(control, DEVICE, device.uid, control.erasures.names_of(device.uid))
    with pytest.raises(RefusedError) as refused:
        enrol(control, 1)
    assert refused.value.code == "erased_device"
    assert enrol(control, 2).uid != device.uid


def test_asked_again_it_is_the_same_one_until_it_is_done(control: Control) -> None:
    device = enrol(control)
    first = control.erasures.ask(DEVICE, device.uid, by=ANN, now=NOW)
    assert (first.state, first.subject) == (ASKED, device.uid)
    assert control.erasures.ask(DEVICE, device.uid, by="account:bob", now=NOW + 1) == first
    assert control.erasures.unfinished() == [first]
    assert control.erasures.done(DEVICE, device.uid) is None
    done = erase(control, DEVICE, device.uid, control.erasures.names_of(device.uid))
    assert control.erasures.unfinished() == []
    assert control.erasures.done(DEVICE, device.uid) == done
    assert control.erasures.latest() == [done]
    assert control.erasures.latest(before=done.id) == []
    control.erasures.finish(done.id, now=NOW + 5)
    control.erasures.revoked(done.id, naming(["x"]), now=NOW + 5)
    control.erasures.erase_here(done.id, now=NOW + 5)
    assert control.erasures.erasure(done.id) == done
    assert control.erasures.ask(DEVICE, device.uid, by=ANN, now=NOW).id != done.id
    with pytest.raises(NotFoundError):
        control.erasures.erasure("nonsense")


def test_the_states_and_why_one_waits(control: Control) -> None:
    device = enrol(control)
    asked = control.erasures.ask(DEVICE, device.uid, by=ANN, now=NOW)
    words = control.erasures.names_of(device.uid)
    control.erasures.revoked(asked.id, words, now=NOW)
    control.erasures.waits(asked.id, "the disk is full", now=NOW + 1)
    found = control.erasures.erasure(asked.id)
    assert (found.state, found.words, found.error, found.changed_at) == (REVOKED, words, "the disk is full", NOW + 1)
    control.erasures.erase_here(asked.id, now=NOW + 2)
    found = control.erasures.erasure(asked.id)
    assert (found.state, found.error, found.subject) == (CONTROL_ERASED, None, device.uid)
    control.erasures.again(asked.id, now=NOW + 3)
    assert control.erasures.erasure(asked.id).state == REVOKED
    control.erasures.tables_erased(asked.id, now=NOW + 4)
    control.erasures.finish(asked.id, now=NOW + 4)
    assert control.erasures.erasure(asked.id).state == REVOKED, "a process that was overtaken changes nothing"
    control.erasures.erase_here(asked.id, now=NOW + 5)
    control.erasures.tables_erased(asked.id, now=NOW + 5)
    control.erasures.again(asked.id, now=NOW + 5)
    found = control.erasures.erasure(asked.id)
    assert (found.state, found.report["devices"]) == (TABLES_ERASED, 1)


def test_who_is_known_again_by_a_digest(control: Control) -> None:
    done = [erase(control, DEVICE, enrol(control, number).uid, Naming()) for number in (1, 2)]
    gone = control.erasures.ask(PERSON, "S-1", by=ANN, now=NOW)
    digests = [*(one.digest for one in done), gone.digest]
    assert control.erasures.among(PERSON, ["S-1", "S-2"], digests) == ["S-1"]
    assert control.erasures.among(DEVICE, ["S-1"], digests) == []


def test_a_person(control: Control) -> None:
    device = enrol(control)
    run = ask(control, device.uid, parameters={"path": "/home/mona.lisa"}, reason="Mona.Lisa asked")
    ended(control, run.id, device.uid)
    control._database.write(
        lambda c: audit.record(c, Entry(NOW, "account:mona.lisa", "test", "x", {"by": "mona.lisa"}))
    )
    words = naming(["S-1-5-21-4711"], ["mona.lisa"])
    assert erase(control, PERSON, "S-1-5-21-4711", words).report["runs"] == 1
    found = control.runs.run(run.id)
    assert found.reason == f"{ERASED} asked"
    entries = {entry.action: entry for entry in control.audit.latest(200)}
    assert (entries["test"].actor, entries["test"].detail) == ("account:mona.lisa", {"by": ERASED}), "an account stays"
    assert control.audit.verify().broken is None
    assert len(control.executions.of_run(run.id)) == 1


# --- the log ---------------------------------------------------------------------------------------
def test_an_entry_that_was_changed_beside_an_erasure_shows(control: Control) -> None:
    device = enrol(control)
    erase(control, DEVICE, device.uid, control.erasures.names_of(device.uid))
    [vouching] = [entry for entry in control.audit.latest(100) if entry.action == BLANKED]
    sequence = int(min(vouching.detail["entries"], key=int))

    def behind(statement: str) -> None:
        control._database.write(lambda c: c.exec_driver_sql("INSERT INTO erasures (id, kind, digest, state, report, "
            "asked_by, asked_at, changed_at) VALUES ('y', 'device', 'd', 'revoked', '{}', 'x', 1, 1)"
        ))  # fmt: skip
        control._database.write(lambda c: c.exec_driver_sql(statement))

    assert control.audit.verify().broken is None
    behind(f"UPDATE audit SET detail = '{{}}' WHERE sequence = {sequence}")
    found = control.audit.verify()
    assert (found.broken, "does not fit" in found.reason) == (sequence, True)


def test_the_log_refuses_every_change_but_that_of_an_erasure(control: Control) -> None:
    device = enrol(control)
    asked = control.erasures.ask(DEVICE, device.uid, by=ANN, now=NOW)

    def change(statement: str) -> None:
        control._database.write(lambda connection: connection.exec_driver_sql(statement))

    with pytest.raises(DBAPIError, match="append only"):
        change("UPDATE audit SET detail = '{}' WHERE sequence = 1")
    control.erasures.revoked(asked.id, Naming(), now=NOW)
    for values in ("action = 'x'", "time = 1", "hash = NULL", "sequence = 5000"):
        with pytest.raises(DBAPIError, match="append only"):
            change(f"UPDATE audit SET {values} WHERE sequence = 1")
    with pytest.raises(DBAPIError, match="append only"):
        change("DELETE FROM audit WHERE sequence = 1")
    control.erasures.erase_here(asked.id, now=NOW)
    with pytest.raises(DBAPIError, match="append only"):
        change("UPDATE audit SET detail = '{}' WHERE sequence = 1")


@pytest.mark.slow
def test_many_entries(control: Control) -> None:
    device, other = enrol(control, 1), enrol(control, 2)
    entries = [Entry(NOW, ANN, "test", f"s{n}", {"device": (device, other)[n % 2].uid}) for n in range(1000)]
    control._database.write(lambda connection: audit.record_all(connection, entries))
    done = erase(control, DEVICE, device.uid, control.erasures.names_of(device.uid))
    assert done.report["audit_entries"] > 500
    found = control.audit.verify()
    assert (found.broken, found.blanked) == (None, done.report["audit_entries"])
    second = erase(control, DEVICE, other.uid, control.erasures.names_of(other.uid))
    found = control.audit.verify()
    assert (found.broken, found.blanked) == (None, done.report["audit_entries"] + second.report["audit_entries"])


# --- bytes -----------------------------------------------------------------------------------------
@pytest.fixture
def files(tmp_path: Path) -> Iterator[Control]:
    """A database in files: those of a server are its own matter."""
    opened = open_control(place(tmp_path / "control" / "control.db"), now=NOW)
    yield opened
    opened.close()


def test_no_byte_is_left_in_the_files(files: Control, tmp_path: Path) -> None:
    control = files
    device, other = enrol(control, 1), enrol(control, 2)
    fill(control, device, other)
    for number in range(50):
        ask(control, device.uid, idempotency_key=f"k{number}", reason=f"{device.uid} {number}" * 40)
    words = (device.uid.encode(), device.collector_uid.encode())

    def held() -> bool:
        whole = b"".join(path.read_bytes() for path in (tmp_path / "control").iterdir())
        return any(word in whole for word in words)

    assert held()
    with control._database.read() as connection:
        connection.exec_driver_sql("SELECT 1 FROM audit").fetchall()
        assert not control.erasures.clean()
    erase(control, DEVICE, device.uid, control.erasures.names_of(device.uid))
    assert not held()
    device = enrol(control, 3)
    fill(control, device, other)
    words = (device.uid.encode(), device.collector_uid.encode())
    assert held()
    erase(control, DEVICE, device.uid, control.erasures.names_of(device.uid))
    assert not held(), "without rewriting the whole file"
