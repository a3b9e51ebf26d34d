"""API tokens of accounts. Writes the table `tokens`, and nothing else does.

In: a name given by its owner; later the secret from an `Authorization` header. Out: the account it stands for.
Invariants: the secret is shown once and stored as a digest; a token that is revoked or over, or whose account is
disabled, is as good as none; use is noted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from storage.control import accounts, audit, schema
from storage.control.accounts import Account
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.secret_text import digest_of, identifier_of, matches, new_secret

TABLE = schema.tokens
PREFIX = "muster"
TOUCH = 60_000_000  # a use is noted at most once a minute
MOST = 100  # live tokens an account may hold


@dataclass(frozen=True, slots=True)
class Token:
    """What may be shown of a token."""

    id: str
    name: str
    created_at: int
    used_at: int | None
    revoked_at: int | None
    expires_at: int | None = None


class Tokens:
    """Making, checking and revoking tokens."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def create(self, account: Account, name: str, *, by: str, now: int) -> tuple[Token, str]:
        """Make a token: what may be shown, and the secret that will not be seen again. Raises RefusedError beyond
        MOST."""
        if account.kind != accounts.PERSON:
            raise RefusedError("program_account", "a credential makes no tokens; an administrator makes a new one")
        return self._database.write(
            lambda connection: add(connection, account, name, by=by, now=now, random=self._random)
        )

    def find(self, secret: str, *, now: int) -> Account | None:
        """The account that a secret stands for, None if it stands for nothing (any more)."""
        identifier = identifier_of(PREFIX, secret)
        if identifier is None:
            return None
        people = schema.accounts
        query = (
            accounts.wide()
            .add_columns(TABLE.c.digest, TABLE.c.used_at.label("token_used_at"))
            .join(TABLE, people.c.id == TABLE.c.account)
            .where(
                TABLE.c.id == identifier,
                TABLE.c.revoked_at.is_(None),
                or_(TABLE.c.expires_at.is_(None), TABLE.c.expires_at > now),
                people.c.disabled_at.is_(None),
            )
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or not matches(secret, row.digest):
            return None
        if row.token_used_at is None or row.token_used_at < now - TOUCH:
            self._database.note(lambda c: c.execute(update(TABLE).where(TABLE.c.id == identifier).values(used_at=now)))
        return accounts.from_row(row)

    def of(self, account: Account) -> list[Token]:
        """The account's tokens, newest first, revoked ones included."""
        query = select(TABLE).where(TABLE.c.account == account.id).order_by(TABLE.c.id.desc())
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(query)]

    def revoke(self, account: Account, identifier: str, *, by: str, now: int) -> None:
        """Make one of the account's tokens worthless. Raises NotFoundError, also for a token of somebody else."""

        def work(connection: Connection) -> None:
            mine = (TABLE.c.id == identifier, TABLE.c.account == account.id, TABLE.c.revoked_at.is_(None))
            if connection.execute(update(TABLE).where(*mine).values(revoked_at=now)).rowcount == 0:
                raise NotFoundError("unknown_token", "you have no such token")
            audit.record(connection, audit.Entry(now, by, "token.revoked", f"token:{identifier}", {}))

        self._database.write(work)


def add(
    connection: Connection,
    account: Account,
    name: str,
    *,
    by: str,
    now: int,
    random: Random,
    expires_at: int | None = None,
) -> tuple[Token, str]:
    """Store a new token in the caller's transaction: what may be shown, and the secret. Raises RefusedError beyond
    MOST."""
    token = Token(uuid7(now, random), name, now, None, None, expires_at)
    secret = new_secret(PREFIX, token.id, random)
    live = select(func.count()).where(TABLE.c.account == account.id, TABLE.c.revoked_at.is_(None))
    if (connection.scalar(live) or 0) >= MOST:
        raise RefusedError("too_many_tokens", f"an account holds at most {MOST} tokens; revoke one first")
    values = {
        "id": token.id, "account": account.id, "name": name, "digest": digest_of(secret), "created_at": now,
        "expires_at": expires_at,
    }  # fmt: skip
    connection.execute(insert(TABLE).values(values))
    detail = {"name": name, "account": account.name}
    audit.record(connection, audit.Entry(now, by, "token.created", f"token:{token.id}", detail))
    return token, secret


def of_program(connection: Connection, account: str) -> Token | None:
    """The newest token of an account, by its id."""
    query = select(TABLE).where(TABLE.c.account == account).order_by(TABLE.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _token(row)


def revoke_all(connection: Connection, account: str, *, now: int) -> None:
    """Make all tokens of an account worthless, in the caller's transaction, which says so in the log."""
    live = (TABLE.c.account == account, TABLE.c.revoked_at.is_(None))
    connection.execute(update(TABLE).where(*live).values(revoked_at=now))


def _token(row: Row[Any]) -> Token:
    return Token(row.id, row.name, row.created_at, row.used_at, row.revoked_at, row.expires_at)
