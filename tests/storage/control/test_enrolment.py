"""A key enrols one device once; a revoked device stays out; nothing secret is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.control.api import Control
from storage.control.enrolment import KNOWN
from storage.control.errors import NotFoundError, RefusedError
from storage.control.secret_text import new_secret
from tests.storage.control.conftest import HOUR, NOW, ask, enrol, on_sqlite

KEY, OTHER = b"1" * 32, b"2" * 32


def key(control: Control, *, expires_at: int = NOW + HOUR, devices: list[str] | None = None) -> str:
    made = control.enrolment.create_enrol_keys(
        1, simulated=True, expires_at=expires_at, by="account:ann", now=NOW, devices=devices
    )
    return made[0][1]


def refused(control: Control, secret: str, identity: bytes = KEY, now: int = NOW) -> str:
    with pytest.raises(RefusedError) as caught:
        control.enrolment.consume_enrol_key(secret, identity, identity, "pc", now=now)
    return caught.value.code


def test_a_key_enrols_once(control: Control) -> None:
    secret = key(control)
    device = control.enrolment.consume_enrol_key(secret, KEY, KEY, "pc-1", now=NOW)
    assert (device.name, device.generation, device.simulated, device.site) == ("pc-1", 1, True, control.site.id)
    assert refused(control, secret, OTHER) == "used_key"
    assert control.enrolment.device(device.uid) == device
    [shown] = control.enrolment.enrol_keys()
    assert (shown.used_at, shown.used_by) == (NOW, device.uid)


def test_a_lost_answer_is_given_again(control: Control) -> None:
    secret = key(control)
    first = control.enrolment.consume_enrol_key(secret, KEY, KEY, "pc-1", now=NOW)
    assert control.enrolment.consume_enrol_key(secret, KEY, KEY, "pc-1", now=NOW + 5 * HOUR) == first


def test_the_same_machine_enrols_anew_as_the_next_generation(control: Control) -> None:
    first = control.enrolment.consume_enrol_key(key(control), KEY, KEY, "pc-1", now=NOW)
    again = control.enrolment.consume_enrol_key(key(control), KEY, OTHER, "pc-1b", now=NOW)
    assert (again.uid, again.generation, again.sealing_key, again.name) == (first.uid, 2, OTHER, "pc-1b")


def test_wrong_and_expired_keys_are_refused_and_logged(control: Control) -> None:
    secret = key(control)
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert refused(control, wrong) == "unknown_key"
    assert refused(control, "nonsense") == "unknown_key"
    unknown = new_secret("enrol", "01890000-0000-7000-8000-000000000000", lambda n: b"x" * n)
    assert refused(control, unknown) == "unknown_key"
    assert refused(control, secret, now=NOW + HOUR) == "expired_key"
    reasons = [e.detail["reason"] for e in control.audit.latest() if e.action == "enrolment.refused"]
    assert reasons == ["expired_key", "unknown_key", "unknown_key", "unknown_key"]


def test_a_revoked_device_stays_out(control: Control) -> None:
    device = enrol(control)
    run = ask(control, device.uid)
    assert control.revoke_device(device.uid, by="account:ann", now=NOW)
    assert not control.revoke_device(device.uid, by="account:ann", now=NOW)
    assert refused(control, key(control), device.identity_key) == "revoked_device"
    stored = control.enrolment.device(device.uid)
    assert stored is not None
    assert stored.revoked_at == NOW
    assert control.executions.execution(run.id, device.uid).state == "cancelled"
    with pytest.raises(NotFoundError):
        control.revoke_device("nobody", by="account:ann", now=NOW)


def test_a_key_may_fix_the_uid(control: Control) -> None:
    uid = "01890000-0000-7000-8000-000000000001"
    assert control.enrolment.consume_enrol_key(key(control, devices=[uid]), KEY, KEY, "pc", now=NOW).uid == uid
    assert refused(control, key(control, devices=[uid]), OTHER) == "used_uid"


def test_enrolment_tells_the_tables(control: Control) -> None:
    device = enrol(control)
    [message] = control.outbox.after(0)
    assert message.table == "device.devices"
    assert message.row == {
        "uid": device.uid,
        "name": "pc-1",
        "collector.uid": device.collector_uid,
        "simulated": False,
        "site": "default",
    }


def test_contacts_are_noted_many_at_a_time(control: Control) -> None:
    device = enrol(control)
    control.enrolment.touch([], now=NOW)
    control.enrolment.touch([device.uid, "nobody"], now=NOW + 62_000_000)
    stored = control.enrolment.device(device.uid)
    assert stored is not None
    assert stored.contact_at == NOW + 62_000_000


@on_sqlite
def test_no_secret_is_in_the_files(control: Control, tmp_path: Path) -> None:
    secrets = [key(control)]
    account = control.accounts.create("ann", "hash", ["query"], "UTC", by="portal", now=NOW)
    secrets += [
        control.tokens.create(account, "t", by="account:ann", now=NOW)[1],
        control.sessions.open(account, now=NOW)[0],
    ]
    content = b"".join(path.read_bytes() for path in (tmp_path / "control").iterdir())
    assert b"enrol_keys.created" in content
    assert not [secret for secret in secrets if secret.split("_", 2)[-1].encode() in content]


# --- a device that is remembered ---------------------------------------------------------------
def test_a_device_is_remembered_for_a_second_and_what_this_process_changes_counts_at_once(control: Control) -> None:
    device = enrol(control)
    assert control.enrolment.known(device.uid, now=NOW) is None
    assert control.enrolment.look_up(device.uid, now=NOW) == device
    assert control.enrolment.known(device.uid, now=NOW + KNOWN - 1) == device
    assert control.enrolment.known(device.uid, now=NOW + KNOWN) is None
    assert control.enrolment.known(device.uid, now=NOW - 1) is None
    control.revoke_device(device.uid, by="account:ann", now=NOW)
    assert control.enrolment.known(device.uid, now=NOW) is None
    found = control.enrolment.look_up(device.uid, now=NOW)
    assert found is not None
    assert found.revoked_at == NOW


def test_what_another_process_revokes_counts_after_a_second(control: Control, address: str) -> None:
    device = enrol(control)
    control.enrolment.look_up(device.uid, now=NOW)
    other = Control(address, now=NOW)
    other.revoke_device(device.uid, by="account:ann", now=NOW)
    other.close()
    later = NOW + KNOWN
    found = control.enrolment.known(device.uid, now=later) or control.enrolment.look_up(device.uid, now=later)
    assert found is not None
    assert found.revoked_at == NOW
    assert KNOWN <= 2_000_000
