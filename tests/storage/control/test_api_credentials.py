"""Credentials for other people's clients in the control database: what they are worth, and until when."""

from __future__ import annotations

import pytest

from storage.control.accounts import Account
from storage.control.api import Control
from storage.control.api_credentials import MOST, TOUCH, ApiCredential, NewApiCredential
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.roles import Rights
from tests.storage.control.conftest import HOUR, NOW

NQL = frozenset({"nql"})


def person(control: Control, name: str = "ann") -> Account:
    return control.accounts.create(name, "-", ["query"], "UTC", by="portal", now=NOW)


def made(control: Control, name: str = "itsm", expires_at: int | None = None) -> tuple[ApiCredential, str]:
    new = NewApiCredential(name, NQL, "tickets", expires_at)
    return control.api_credentials.create(control.accounts.account("ann"), new, by="account:ann", now=NOW)


def test_a_secret_is_worth_what_its_credential_is(control: Control) -> None:
    person(control)
    one, secret = made(control, expires_at=NOW + HOUR)
    check, living = control.api_credentials.check, control.api_credentials.living
    assert check(one.id, secret, now=NOW) == one
    assert check(one.id, secret[:-1] + ("a" if secret[-1] != "a" else "b"), now=NOW) is None
    assert check(one.name, secret, now=NOW) is None
    assert check(one.id, secret, now=NOW + HOUR) is None
    found = living(one.id, now=NOW)
    assert found is not None
    assert (found[0], found[1].name, found[1].permissions) == (one, "ann", frozenset({"query"}))
    assert living(one.id, now=NOW + HOUR) is None
    control.api_credentials.revoke("ITSM", by="account:ann", now=NOW)
    assert check(one.id, secret, now=NOW) is None
    assert living(one.id, now=NOW) is None
    with pytest.raises(NotFoundError):
        control.api_credentials.revoke("itsm", by="account:ann", now=NOW)


def test_it_goes_by_its_account_as_that_is_now(control: Control) -> None:
    person(control)
    one, secret = made(control)
    control.roles.put("lyon", Rights(frozenset({"query"}), None, 'entity == "Lyon"'), by="portal", now=NOW)
    control.accounts.set_role("ann", "lyon", by="portal", now=NOW)
    found = control.api_credentials.living(one.id, now=NOW)
    assert found is not None
    assert found[1].domain == 'entity == "Lyon"'
    control.accounts.disable("ann", by="portal", now=NOW)
    assert control.api_credentials.living(one.id, now=NOW) is None
    assert control.api_credentials.check(one.id, secret, now=NOW) is None


def test_a_rotation_lets_the_old_secret_live_for_a_while(control: Control) -> None:
    person(control)
    one, first = made(control)
    changed, second = control.api_credentials.rotate("itsm", keep_until=NOW + HOUR, by="account:ann", now=NOW)
    assert (changed.id, changed.rotated_at, changed.old_until) == (one.id, NOW, NOW + HOUR)
    check = control.api_credentials.check
    assert check(one.id, first, now=NOW + HOUR - 1) == check(one.id, second, now=NOW) == changed
    assert check(one.id, first, now=NOW + HOUR) is None
    _, third = control.api_credentials.rotate("itsm", keep_until=NOW, by="account:ann", now=NOW)
    assert [check(one.id, secret, now=NOW) is None for secret in (first, second, third)] == [True, True, False]


def test_use_is_noted_once_a_minute(control: Control) -> None:
    person(control)
    one, _ = made(control)
    for now, noted in ((NOW, NOW), (NOW + 1, NOW), (NOW + TOUCH + 1, NOW + TOUCH + 1)):
        control.api_credentials.living(one.id, now=now)
        assert control.api_credentials.named("itsm").used_at == noted


def test_names_are_taken_for_ever_and_by_programs_too(control: Control) -> None:
    person(control)
    control.roles.put("readers", Rights(frozenset({"query"})), by="portal", now=NOW)
    made(control)
    control.api_credentials.revoke("itsm", by="account:ann", now=NOW)
    with pytest.raises(ConflictError):
        made(control, "ItSm")
    with pytest.raises(ConflictError):
        control.credentials.create("itsm", "readers", expires_at=None, by="account:ann", now=NOW)
    control.credentials.create("etl", "readers", expires_at=None, by="account:ann", now=NOW)
    with pytest.raises(ConflictError):
        made(control, "ETL")


def test_what_is_listed_and_limited(control: Control) -> None:
    ann = person(control)
    bob = person(control, "bob")
    made(control)
    made(control, "crm")
    assert [one.name for one in control.api_credentials.everything()] == ["crm", "itsm"]
    assert [one.name for one in control.api_credentials.everything(ann.id)] == ["crm", "itsm"]
    assert control.api_credentials.everything(bob.id) == []
    assert control.api_credentials.set_limits("crm", {"nql": 5}, by="account:ann", now=NOW).limits == {"nql": 5}
    assert control.api_credentials.named("CRM").limits == {"nql": 5}


def test_an_account_has_so_many(control: Control) -> None:
    person(control)
    for number in range(MOST):
        made(control, f"c{number}")
    with pytest.raises(RefusedError):
        made(control)
    control.api_credentials.revoke("c0", by="account:ann", now=NOW)
    made(control)


def test_every_change_is_in_the_log_and_no_secret(control: Control) -> None:
    person(control)
    one, first = made(control)
    _, second = control.api_credentials.rotate("itsm", keep_until=NOW, by="account:ann", now=NOW)
    control.api_credentials.set_limits("itsm", {}, by="account:ann", now=NOW)
    control.api_credentials.revoke("itsm", by="account:ann", now=NOW)
    log = control.audit.latest(subject=f"api_credential:{one.id}")
    assert [entry.action.partition(".")[2] for entry in reversed(log)] == [
        "created", "rotated", "limits_changed", "revoked",
    ]  # fmt: skip
    assert not any(secret in str(entry) for entry in log for secret in (first, second))
