"""Accounts of people and programs. Writes the table `accounts`, and nothing else does.

In: names, password hashes made elsewhere (this module never sees a password), permissions as plain words or a role.
Out: accounts with the rights that count now: those of the role, without one the account's own. Invariants: names are
unique without regard to case; a disabled account keeps its row and its history but opens nothing: sessions and tokens
of it are refused where they are looked up; the last person who may administer stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from storage.control import audit, schema
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.ids import uuid7
from storage.control.records import from_json, to_json

TABLE, ROLES = schema.accounts, schema.roles
PERSON, PROGRAM = "person", "program"
NO_PASSWORD = "-"  # fits no password: no hash looks like it
ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Account:
    """A person or program that may come in, with the rights that count now. `zone` is the IANA name of the zone dates
    are shown in; `actions` are those that may be run, None for all; `domain` is the view domain, None for
    everything; `sites` names those whose devices are seen, None for all."""

    id: str
    name: str
    permissions: frozenset[str]
    zone: str
    created_at: int
    disabled_at: int | None = None
    role: str | None = None
    kind: str = PERSON
    actions: frozenset[str] | None = None
    domain: str | None = None
    sites: frozenset[str] | None = None


class Accounts:
    """Making, finding, changing and closing accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        password_hash: str,
        permissions: Iterable[str],
        zone: str,
        *,
        role: str | None = None,
        by: str,
        now: int,
    ) -> Account:
        """Make a person's account; with a role, that says what it may do. Raises ConflictError if the name is taken,
        NotFoundError."""
        new = Account(uuid7(now), name, frozenset(permissions), zone, now, role=role)
        return self._database.write(lambda connection: add(connection, new, password_hash, by=by))

    def by_name(self, name: str) -> tuple[Account, str] | None:
        """The account of a person by its name in any case, and its password hash; None if there is none or it is
        disabled. Programs have no password."""
        query = wide().where(TABLE.c.folded == name.casefold(), TABLE.c.disabled_at.is_(None), TABLE.c.kind == PERSON)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (from_row(row), row.password_hash)

    def by_id(self, identifier: str) -> Account | None:
        """The account of an id with the rights it has now; None if there is none or it is disabled."""
        return self._living(TABLE.c.id == identifier)

    def living(self, name: str) -> Account | None:
        """As `by_id`, by the name of a person or program in any case."""
        return self._living(TABLE.c.folded == name.casefold())

    def _living(self, which: ColumnElement[bool]) -> Account | None:
        with self._database.read() as connection:
            row = connection.execute(wide().where(which, TABLE.c.disabled_at.is_(None))).one_or_none()
        return None if row is None else from_row(row)

    def account(self, name: str) -> Account:
        """The account of a name in any case, disabled or not. Raises NotFoundError."""
        with self._database.read() as connection:
            row = connection.execute(wide().where(TABLE.c.folded == name.casefold())).one_or_none()
        if row is None:
            raise NotFoundError("unknown_account", f"there is no account {name}")
        return from_row(row)

    def everyone(self, kind: str | None = None) -> list[Account]:
        """All accounts, or those of one kind, by name."""
        query = wide().order_by(TABLE.c.folded)
        with self._database.read() as connection:
            found = connection.execute(query if kind is None else query.where(TABLE.c.kind == kind))
            return [from_row(row) for row in found]

    def count(self) -> int:
        """How many accounts there are, disabled ones included."""
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(TABLE)) or 0

    def set_password(self, name: str, password_hash: str, *, by: str, now: int) -> None:
        """Replace a person's password hash. Raises NotFoundError. Whoever calls ends the account's sessions."""
        self._change(name, {"password_hash": password_hash}, "account.password_changed", {}, by, now, kind=PERSON)

    def disable(self, name: str, *, by: str, now: int) -> None:
        """Close an account: from the next look-up on, its sessions and tokens open nothing. Raises NotFoundError,
        RefusedError for the last who may administer."""
        self._change(name, {"disabled_at": now}, "account.disabled", {}, by, now)

    def set_role(self, name: str, role: str | None, *, by: str, now: int) -> None:
        """Give an account a role, or none: then its own permissions count again. Raises NotFoundError, RefusedError
        for the last who may administer."""
        folded = None if role is None else role.casefold()
        self._change(name, {"role": folded}, "account.role_changed", {"role": role}, by, now)

    def set_permissions(self, name: str, permissions: Iterable[str], *, by: str, now: int) -> None:
        """Replace an account's own permissions, which count while it has no role. Raises as `set_role`."""
        words = sorted(set(permissions))
        values = {"permissions": to_json(words)}
        self._change(name, values, "account.permissions_changed", {"permissions": words}, by, now)

    def _change(
        self,
        name: str,
        values: dict[str, Any],
        action: str,
        detail: dict[str, Any],
        by: str,
        now: int,
        kind: str | None = None,
    ) -> None:
        def work(connection: Connection) -> None:
            change(connection, name, values, action, detail, by=by, now=now, kind=kind)

        self._database.write(work)


def add(connection: Connection, new: Account, password_hash: str, *, by: str) -> Account:
    """Store a new account in the caller's transaction. Raises ConflictError, NotFoundError for its role."""
    if connection.scalar(select(TABLE.c.id).where(TABLE.c.folded == new.name.casefold())):
        raise ConflictError("account_exists", f"there is an account {new.name} already")
    role = None if new.role is None else new.role.casefold()
    _check_role(connection, role)
    values = {
        "id": new.id, "name": new.name, "folded": new.name.casefold(), "password_hash": password_hash,
        "permissions": to_json(sorted(new.permissions)), "zone": new.zone, "created_at": new.created_at,
        "role": role, "kind": new.kind,
    }  # fmt: skip
    connection.execute(insert(TABLE).values(values))
    detail = {"name": new.name, "permissions": sorted(new.permissions), "role": new.role, "kind": new.kind}
    audit.record(connection, audit.Entry(new.created_at, by, "account.created", f"account:{new.name}", detail))
    return from_row(connection.execute(wide().where(TABLE.c.id == new.id)).one())


def change(
    connection: Connection,
    name: str,
    values: dict[str, Any],
    action: str,
    detail: dict[str, Any],
    *,
    by: str,
    now: int,
    kind: str | None = None,
) -> None:
    """Change an account in the caller's transaction. Raises NotFoundError, RefusedError."""
    _check_role(connection, values.get("role"))
    named = TABLE.c.folded == name.casefold()
    with keep_administered(connection):
        query = update(TABLE).where(named if kind is None else named & (TABLE.c.kind == kind))
        if connection.execute(query.values(values)).rowcount == 0:
            raise NotFoundError("unknown_account", f"there is no account {name}")
    audit.record(connection, audit.Entry(now, by, action, f"account:{name}", detail))


@contextmanager
def keep_administered(connection: Connection) -> Iterator[None]:
    """What happens inside may not leave the instance without a person who may administer. Raises RefusedError."""
    before = _administered(connection)
    yield
    if before and not _administered(connection):
        message = "nobody could administer any more; make another administrator first"
        raise RefusedError("last_administrator", message)


def wide() -> Select[Any]:
    """Accounts with the rights of their role beside them: what `from_row` reads."""
    beside = [ROLES.c[name].label(f"role_{name}") for name in ("name", "permissions", "actions", "domain", "sites")]
    return select(TABLE, *beside).outerjoin(ROLES, ROLES.c.folded == TABLE.c.role)


def from_row(row: Row[Any]) -> Account:
    """The account of a row of `wide`. A role that is not there gives nothing."""
    own = row.role is None
    permissions = from_json(row.permissions if own else row.role_permissions) or ()
    return Account(
        id=row.id,
        name=row.name,
        permissions=frozenset(permissions),
        zone=row.zone,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        role=None if own else row.role_name or row.role,
        kind=row.kind,
        actions=None if own or row.role_actions is None else frozenset(from_json(row.role_actions)),
        domain=None if own else row.role_domain,
        sites=None if own or row.role_sites is None else frozenset(from_json(row.role_sites)),
    )


def _check_role(connection: Connection, folded: str | None) -> None:
    if folded is not None and connection.scalar(select(ROLES.c.name).where(ROLES.c.folded == folded)) is None:
        raise NotFoundError("unknown_role", f"there is no role {folded}")


def _administered(connection: Connection) -> bool:
    people = wide().where(TABLE.c.disabled_at.is_(None), TABLE.c.kind == PERSON)
    return any(ADMINISTER in from_row(row).permissions for row in connection.execute(people))
