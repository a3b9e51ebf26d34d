"""Accounts, their logins and their sessions: `user.users`, `session.logins`, `session.events`.

In: a host. Out: rows. Invariants: a local account is named by the device and its own key, so equal names on two
devices are two users; service accounts are told only where a person may meet them (they run programs, see
`executions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.collectors.base import HOUR, MINUTE, Names, Rights
from agent.host.base import Account, Host
from agent.rows import Rows, rows

USER_COLUMNS = ("uid", "name", "username", "sid", "type", "ad.full_name")
BUCKET = 15 * MINUTE


class Users:
    """Tells the accounts of people and of the system's owner."""

    name = "users"
    tables = ("user.users",)
    rights = Rights.NONE
    every = HOUR
    buckets = False

    def __init__(self, names: Names) -> None:
        self._names = names

    def sample(self, host: Host, now: int) -> None:
        """Nothing passes between two collections."""

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """The accounts, as of now."""
        return [user_rows(self._names, host, [a for a in host.accounts() if a.kind != "system" or a.key == "0"])]


class Logins:
    """Tells who logged in."""

    name = "logins"
    tables = ("session.logins",)
    rights = Rights.NONE
    every = 5 * MINUTE
    buckets = False

    def __init__(self, names: Names) -> None:
        self._names = names

    def sample(self, host: Host, now: int) -> None:
        """Nothing passes between two collections: the log keeps it."""

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """Logins of the stretch."""
        keys = {account.name: self._names.user(account) for account in host.accounts()}
        records = [
            (login.time, keys[login.account], "remote" if login.remote else "local", 1)
            for login in host.logins(since, until)
            if login.account in keys and since < login.time <= until
        ]
        return [rows("session.logins", ("time", "@user", "logon_type", "number_of_logins"), records)] if records else []


class Sessions:
    """Tells who was logged in, and for how long there was input."""

    name = "sessions"
    tables = ("session.events",)
    rights = Rights.NONE
    every = BUCKET
    buckets = True

    def __init__(self, names: Names) -> None:
        self._names = names
        self._seen = 0
        self._time: dict[tuple[str, str], int] = {}

    def sample(self, host: Host, now: int) -> None:
        """Note who is there, and who gave input since the last look."""
        passed = min(now - self._seen, MINUTE) if self._seen else 0
        for session in host.sessions(now):
            key = (session.account, session.state)
            busy = session.last_input is not None and session.last_input >= self._seen
            self._time[key] = self._time.get(key, 0) + (passed if busy else 0)
        self._seen = now

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """One row an account and state."""
        keys = {account.name: self._names.user(account) for account in host.accounts()}
        length = until - since
        found, self._time = self._time, {}
        records = [
            (since, until, length, keys[account], state, min(time, length))
            for (account, state), time in found.items()
            if account in keys
        ]
        columns = ("start_time", "end_time", "bucket_duration", "@user", "session_state", "user_interaction_time")
        return [rows("session.events", columns, records)] if records else []


def user_rows(names: Names, host: Host, accounts: Iterable[Account]) -> Rows:
    """Rows of `user.users`."""
    place = host.name()
    return rows(
        "user.users",
        USER_COLUMNS,
        [
            (names.user(a), a.name if a.uid else f"{a.name}@{place}", a.name, a.key, a.kind, a.full_name)
            for a in accounts
        ],
    )
