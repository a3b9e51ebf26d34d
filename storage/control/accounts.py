"""Local accounts. Writes the table `accounts`, and nothing else does.

In: names, password hashes made elsewhere (this module never sees a password), permissions as plain words. Out:
accounts. Invariants: names are unique without regard to case; a disabled account keeps its row and its history but
opens nothing: sessions and tokens of it are refused where they are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from storage.control import audit, schema
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError
from storage.control.ids import uuid7
from storage.control.records import from_json, to_json

TABLE = schema.accounts


@dataclass(frozen=True, slots=True)
class Account:
    """A person or program that may sign in. `zone` is the IANA name of the zone dates are shown in."""

    id: str
    name: str
    permissions: frozenset[str]
    zone: str
    created_at: int
    disabled_at: int | None = None


class Accounts:
    """Making, finding and closing accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, password_hash: str, permissions: Iterable[str], zone: str, *, by: str, now: int
    ) -> Account:
        """Make an account. Raises ConflictError if the name is taken."""
        account = Account(uuid7(now), name, frozenset(permissions), zone, now)

        def work(connection: Connection) -> Account:
            if connection.scalar(select(TABLE.c.id).where(TABLE.c.folded == name.casefold())):
                raise ConflictError("account_exists", f"there is an account {name} already")
            values = {
                "id": account.id, "name": name, "folded": name.casefold(), "password_hash": password_hash,
                "permissions": to_json(sorted(account.permissions)), "zone": zone, "created_at": now,
            }  # fmt: skip
            connection.execute(insert(TABLE).values(values))
            detail = {"name": name, "permissions": sorted(account.permissions)}
            audit.record(connection, audit.Entry(now, by, "account.created", f"account:{name}", detail))
            return account

        return self._database.write(work)

    def by_name(self, name: str) -> tuple[Account, str] | None:
        """The account of a name in any case and its password hash; None if there is none or it is disabled."""
        query = select(TABLE).where(TABLE.c.folded == name.casefold(), TABLE.c.disabled_at.is_(None))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (from_row(row), row.password_hash)

    def everyone(self) -> list[Account]:
        """All accounts, by name."""
        with self._database.read() as connection:
            return [from_row(row) for row in connection.execute(select(TABLE).order_by(TABLE.c.folded))]

    def count(self) -> int:
        """How many accounts there are, disabled ones included."""
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(TABLE)) or 0

    def set_password(self, name: str, password_hash: str, *, by: str, now: int) -> None:
        """Replace a password hash. Raises NotFoundError. Whoever calls ends the account's sessions."""
        self._change(name, {"password_hash": password_hash}, "account.password_changed", by, now)

    def disable(self, name: str, *, by: str, now: int) -> None:
        """Close an account: from the next look-up on, its sessions and tokens open nothing. Raises NotFoundError."""
        self._change(name, {"disabled_at": now}, "account.disabled", by, now)

    def _change(self, name: str, values: dict[str, Any], action: str, by: str, now: int) -> None:
        def work(connection: Connection) -> None:
            done = connection.execute(update(TABLE).where(TABLE.c.folded == name.casefold()).values(values))
            if done.rowcount == 0:
                raise NotFoundError("unknown_account", f"there is no account {name}")
            audit.record(connection, audit.Entry(now, by, action, f"account:{name}", {}))

        self._database.write(work)


def from_row(row: Row[Any]) -> Account:
    """The account of a row of the table (or of a join that holds its columns)."""
    return Account(row.id, row.name, frozenset(from_json(row.permissions)), row.zone, row.created_at, row.disabled_at)
