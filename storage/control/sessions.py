"""Signed-in browsers. Writes the table `sessions`, and nothing else does.

In: an account; later the random token that the browser sends back. Out: the account and the session's CSRF token.
Invariants: only the digest of the token is stored; a session ends after `IDLE` without use, after `LONGEST` in any
case, and with its account.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, or_, select, update

from storage.control import accounts, audit, schema
from storage.control.accounts import Account
from storage.control.database import Database
from storage.control.ids import Random
from storage.control.secret_text import digest_of, opaque

TABLE = schema.sessions
HOUR = 3_600_000_000
IDLE = 12 * HOUR
LONGEST = 7 * 24 * HOUR
TOUCH = 60_000_000  # a use is noted at most once a minute


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `csrf` must come back in a header with every request that changes something."""

    account: Account
    csrf: str
    expires_at: int


class Sessions:
    """Opening, finding and ending sessions."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def open(self, account: Account, *, now: int) -> tuple[str, Session]:
        """Begin a session: the token for the cookie, and the session. Old sessions are swept on the way."""
        token, session = opaque(self._random), Session(account, opaque(self._random), now + LONGEST)

        def work(connection: Connection) -> None:
            connection.execute(delete(TABLE).where(or_(TABLE.c.expires_at <= now, TABLE.c.used_at <= now - IDLE)))
            values = {
                "digest": digest_of(token), "account": account.id, "csrf": session.csrf,
                "created_at": now, "used_at": now, "expires_at": session.expires_at,
            }  # fmt: skip
            connection.execute(insert(TABLE).values(values))
            audit.record(
                connection, audit.Entry(now, f"account:{account.name}", "session.opened", f"account:{account.name}", {})
            )

        self._database.write(work)
        return token, session

    def find(self, token: str, *, now: int) -> Session | None:
        """The live session of a token, None if it ended or its account is disabled."""
        digest, people = digest_of(token), schema.accounts
        query = (
            accounts.wide()
            .add_columns(TABLE.c.csrf, TABLE.c.expires_at, TABLE.c.used_at)
            .join(TABLE, people.c.id == TABLE.c.account)
            .where(
                TABLE.c.digest == digest,
                TABLE.c.expires_at > now,
                TABLE.c.used_at > now - IDLE,
                people.c.disabled_at.is_(None),
            )
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.used_at < now - TOUCH:
            self._database.note(lambda c: c.execute(update(TABLE).where(TABLE.c.digest == digest).values(used_at=now)))
        return Session(accounts.from_row(row), row.csrf, row.expires_at)

    def end(self, token: str, *, now: int) -> None:
        """Sign one browser out; nothing happens if it is out already."""

        def work(connection: Connection) -> None:
            people = schema.accounts
            query = (
                select(people.c.name)
                .join(TABLE, people.c.id == TABLE.c.account)
                .where(TABLE.c.digest == digest_of(token))
            )
            name = connection.scalar(query)
            connection.execute(delete(TABLE).where(TABLE.c.digest == digest_of(token)))
            if name is not None:
                audit.record(connection, audit.Entry(now, f"account:{name}", "session.ended", f"account:{name}", {}))

        self._database.write(work)

    def end_all(self, account: str, *, by: str, now: int) -> None:
        """Sign an account (by its id) out everywhere."""

        def work(connection: Connection) -> None:
            ended = connection.execute(delete(TABLE).where(TABLE.c.account == account)).rowcount
            if ended:
                audit.record(
                    connection, audit.Entry(now, by, "session.all_ended", f"account:{account}", {"count": ended})
                )

        self._database.write(work)
