"""Credentials: how programs come in. Each is an account of the kind `program` with a role, and one token.

In: a name, a role, when it is over. Out: credentials, and once the secret. Invariants: a program has no password and
no permissions but its role's; the secret is shown once; one that is revoked stays so, and its name stays taken, so
that the log speaks of one thing. The tables are written by `accounts` and `tokens`. What a role allows is all that a
credential allows; what narrows one further belongs beside its account's role.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, select

from storage.control import accounts, api_credentials, schema, tokens
from storage.control.accounts import Account
from storage.control.database import Database
from storage.control.errors import NotFoundError
from storage.control.ids import Random, uuid7
from storage.control.tokens import Token


@dataclass(frozen=True, slots=True)
class Credential:
    """A program's account and its token."""

    account: Account
    token: Token


class Credentials:
    """Making, listing and revoking credentials."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def create(self, name: str, role: str, *, expires_at: int | None, by: str, now: int) -> tuple[Credential, str]:
        """Make a credential: what may be shown, and the secret. Raises ConflictError for a taken name, NotFoundError
        for the role."""
        new = Account(uuid7(now, self._random), name, frozenset(), "UTC", now, role=role, kind=accounts.PROGRAM)

        def work(connection: Connection) -> tuple[Credential, str]:
            api_credentials.check_free(connection, name)
            account = accounts.add(connection, new, accounts.NO_PASSWORD, by=by)
            token, secret = tokens.add(
                connection, account, name, by=by, now=now, random=self._random, expires_at=expires_at
            )
            return Credential(account, token), secret

        return self._database.write(work)

    def everything(self) -> list[Credential]:
        """All credentials by name, revoked ones included."""
        people = accounts.TABLE
        query = accounts.wide().where(people.c.kind == accounts.PROGRAM).order_by(people.c.folded)
        with self._database.read() as connection:
            found = [accounts.from_row(row) for row in connection.execute(query)]
            pairs = [(account, tokens.of_program(connection, account.id)) for account in found]
        return [Credential(account, token) for account, token in pairs if token is not None]

    def revoke(self, name: str, *, by: str, now: int) -> None:
        """Make a credential worthless for ever. Raises NotFoundError."""
        people = schema.accounts
        live = (people.c.folded == name.casefold(), people.c.kind == accounts.PROGRAM, people.c.disabled_at.is_(None))

        def work(connection: Connection) -> None:
            account = connection.scalar(select(people.c.id).where(*live))
            if account is None:
                raise NotFoundError("unknown_credential", f"there is no credential {name}, or it is revoked")
            tokens.revoke_all(connection, account, now=now)
            accounts.change(connection, name, {"disabled_at": now}, "credential.revoked", {}, by=by, now=now)

        self._database.write(work)
