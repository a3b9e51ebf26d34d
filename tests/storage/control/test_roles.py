"""Roles and credentials: whose rights count when, and what nobody can take away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from storage.control.accounts import Account
from storage.control.api import Control
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.roles import Rights
from tests.storage.control.conftest import HOUR, NOW

WATCH = Rights(frozenset({"query"}), frozenset({"#a"}), 'entity == "Lyon"')
BY = "account:root"


def make(control: Control, name: str, *permissions: str, role: str | None = None) -> Account:
    return control.accounts.create(name, "hash", permissions, "UTC", role=role, by=BY, now=NOW)


def test_a_roles_rights_count_while_it_is_held(control: Control) -> None:
    control.roles.put("Lyon watch", WATCH, by=BY, now=NOW)
    ann = make(control, "ann", "query", "manage", role="lyon WATCH")
    assert (ann.role, ann.permissions, ann.actions, ann.domain) == (
        "Lyon watch",
        WATCH.permissions,
        WATCH.actions,
        WATCH.domain,
    )
    cookie, _ = control.sessions.open(ann, now=NOW)
    _, secret = control.tokens.create(ann, "x", by=BY, now=NOW)
    control.roles.put("lyon watch", Rights(frozenset({"execute"})), by=BY, now=NOW)

    def found() -> list[Account]:
        session, account = control.sessions.find(cookie, now=NOW), control.tokens.find(secret, now=NOW)
        assert session is not None
        assert account is not None
        return [session.account, account]

    assert {(one.permissions, one.actions, one.domain) for one in found()} == {(frozenset({"execute"}), None, None)}
    control.accounts.set_role("ANN", None, by=BY, now=NOW)
    assert {(one.permissions, one.role) for one in found()} == {(frozenset({"query", "manage"}), None)}
    control.accounts.set_permissions("ann", [], by=BY, now=NOW)
    assert {one.permissions for one in found()} == {frozenset()}


def test_a_role_that_is_held_stays(control: Control) -> None:
    control.roles.put("watch", WATCH, by=BY, now=NOW)
    make(control, "ann", role="watch")
    assert [(role.name, role.held_by) for role in control.roles.everything()] == [("watch", 1)]
    with pytest.raises(RefusedError, match="1 accounts hold the role watch"):
        control.roles.delete("watch", by=BY, now=NOW)
    control.accounts.set_role("ann", None, by=BY, now=NOW)
    control.roles.delete("WATCH", by=BY, now=NOW)
    calls: tuple[Callable[[], object], ...] = (
        partial(control.roles.role, "watch"),
        partial(control.roles.delete, "watch", by=BY, now=NOW),
        partial(control.accounts.set_role, "ann", "watch", by=BY, now=NOW),
        partial(make, control, "bob", role="watch"),
    )
    for call in calls:
        with pytest.raises(NotFoundError):
            call()
    assert [entry.action for entry in control.audit.latest(4)] == [
        "role.deleted", "account.role_changed", "account.created", "role.saved",
    ]  # fmt: skip


def test_a_role_that_is_gone_gives_nothing(control: Control) -> None:
    control.roles.put("watch", WATCH, by=BY, now=NOW)
    make(control, "ann", "administer", "query", role="watch")
    control._database.write(lambda c: c.exec_driver_sql("DELETE FROM roles"))
    found = control.accounts.account("ann")
    assert (found.permissions, found.role) == (frozenset(), "watch")


def test_whoever_administers_sees_everything(control: Control) -> None:
    for word in ("administer", "import"):
        with pytest.raises(RefusedError, match=word):
            control.roles.put("x", Rights(frozenset({word, "query"}), None, 'name == "a"'), by=BY, now=NOW)
    assert control.roles.everything() == []


def test_the_last_administrator_stays(control: Control) -> None:
    control.roles.put("admin", Rights(frozenset({"administer"})), by=BY, now=NOW)
    control.roles.put("watch", WATCH, by=BY, now=NOW)
    make(control, "ann", role="admin")
    make(control, "carl", "query")
    control.credentials.create("robot", "admin", expires_at=None, by=BY, now=NOW)  # a program is nobody's way back
    attempts: list[Callable[[], object]] = [
        partial(control.accounts.disable, "ann", by=BY, now=NOW),
        partial(control.accounts.set_role, "ann", None, by=BY, now=NOW),
        partial(control.accounts.set_role, "ann", "watch", by=BY, now=NOW),
        partial(control.roles.put, "ADMIN", WATCH, by=BY, now=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(RefusedError, match="nobody could administer"):
            attempt()
    make(control, "bob", "administer")
    control.accounts.disable("ann", by=BY, now=NOW)
    with pytest.raises(RefusedError):
        control.accounts.set_permissions("bob", ["query"], by=BY, now=NOW)


def test_credentials(control: Control) -> None:
    control.roles.put("watch", WATCH, by=BY, now=NOW)
    made, secret = control.credentials.create("etl", "watch", expires_at=NOW + HOUR, by=BY, now=NOW)
    account = control.tokens.find(secret, now=NOW + 1)
    assert account is not None
    assert (account.kind, account.permissions, account.domain) == ("program", WATCH.permissions, WATCH.domain)
    assert control.accounts.by_name("etl") is None  # no password opens it
    assert control.accounts.living("ETL") == account == control.accounts.by_id(account.id)
    assert control.tokens.find(secret, now=NOW + HOUR) is None
    [listed] = control.credentials.everything()
    assert (listed.account.name, listed.token.id, listed.token.used_at) == ("etl", made.token.id, NOW + 1)
    with pytest.raises(RefusedError, match="makes no tokens"):
        control.tokens.create(account, "another", by="account:etl", now=NOW)
    with pytest.raises(NotFoundError):
        control.accounts.set_password("etl", "hash", by=BY, now=NOW)
    with pytest.raises(ConflictError):
        control.credentials.create("ETL", "watch", expires_at=None, by=BY, now=NOW)
    with pytest.raises(NotFoundError):
        control.credentials.create("b", "nothing", expires_at=None, by=BY, now=NOW)
    control.credentials.revoke("etl", by=BY, now=NOW + 2)
    assert control.tokens.find(secret, now=NOW + 2) is None
    assert control.credentials.everything()[0].token.revoked_at == NOW + 2
    make(control, "ann")
    for name in ("etl", "ann", "nobody"):
        with pytest.raises(NotFoundError):
            control.credentials.revoke(name, by=BY, now=NOW + 3)
