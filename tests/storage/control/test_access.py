"""Accounts, sessions and tokens: what opens, and what stops opening."""

from __future__ import annotations

import pytest

from storage.control.accounts import Account
from storage.control.api import Control
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.sessions import IDLE, LONGEST
from storage.control.tokens import MOST
from tests.storage.control.conftest import HOUR, NOW


@pytest.fixture
def ann(control: Control) -> Account:
    return control.accounts.create("Ann", "hash", ["query", "execute"], "Europe/Zurich", by="portal", now=NOW)


def test_accounts(control: Control, ann: Account) -> None:
    assert control.accounts.by_name("aNN") == (ann, "hash")
    assert control.accounts.by_name("bob") is None
    with pytest.raises(ConflictError):
        control.accounts.create("ANN", "x", [], "UTC", by="portal", now=NOW)
    control.accounts.set_password("ann", "other", by="account:Ann", now=NOW)
    assert control.accounts.by_name("ann") == (ann, "other")
    with pytest.raises(NotFoundError):
        control.accounts.set_password("bob", "other", by="account:Ann", now=NOW)
    assert (control.accounts.everyone(), control.accounts.count()) == ([ann], 1)


def test_sessions_end(control: Control, ann: Account) -> None:
    token, session = control.sessions.open(ann, now=NOW)
    found = control.sessions.find(token, now=NOW + 1)
    assert found == session
    assert control.sessions.find(token + "x", now=NOW) is None
    assert control.sessions.find(token, now=NOW + IDLE) is None
    late = NOW
    while late < NOW + LONGEST - IDLE:
        late += IDLE - HOUR
        assert control.sessions.find(token, now=late) is not None
    assert control.sessions.find(token, now=NOW + LONGEST) is None
    control.sessions.end(token, now=late)
    assert control.sessions.find(token, now=late) is None


def test_an_account_closes_everything(control: Control, ann: Account) -> None:
    cookie, _ = control.sessions.open(ann, now=NOW)
    _, secret = control.tokens.create(ann, "ci", by="account:Ann", now=NOW)
    assert control.tokens.find(secret, now=NOW) == ann
    control.accounts.disable("ann", by="account:Ann", now=NOW)
    assert control.tokens.find(secret, now=NOW) is None
    assert control.sessions.find(cookie, now=NOW) is None
    assert control.accounts.by_name("ann") is None


def test_all_sessions_of_an_account_end(control: Control, ann: Account) -> None:
    cookies = [control.sessions.open(ann, now=NOW)[0] for _ in range(2)]
    control.sessions.end_all(ann.id, by="account:Ann", now=NOW)
    assert [control.sessions.find(cookie, now=NOW) for cookie in cookies] == [None, None]


def test_tokens(control: Control, ann: Account) -> None:
    bob = control.accounts.create("Bob", "hash", [], "UTC", by="portal", now=NOW)
    token, secret = control.tokens.create(ann, "ci", by="account:Ann", now=NOW)
    assert control.tokens.find(secret, now=NOW + 5) == ann
    assert [(t.name, t.used_at) for t in control.tokens.of(ann)] == [("ci", NOW + 5)]
    assert control.tokens.find(secret[:-1] + ("A" if secret[-1] != "A" else "B"), now=NOW) is None
    with pytest.raises(NotFoundError):
        control.tokens.revoke(bob, token.id, by="account:Bob", now=NOW)
    control.tokens.revoke(ann, token.id, by="account:Ann", now=NOW)
    assert control.tokens.find(secret, now=NOW) is None


def test_tokens_are_bounded(control: Control, ann: Account) -> None:
    for number in range(MOST):
        control.tokens.create(ann, str(number), by="account:Ann", now=NOW)
    with pytest.raises(RefusedError):
        control.tokens.create(ann, "one more", by="account:Ann", now=NOW)
