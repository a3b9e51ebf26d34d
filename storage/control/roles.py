"""Roles: what the accounts that hold one may do, which actions, and what part of the estate they see. Writes the table
`roles`, and nothing else does.

In: a role as it shall be, checked by whoever knows the language. Out: roles. Invariants: names are unique without
regard to case; a role that an account holds cannot be deleted; rights are read with the account at every request, so
that a change counts at once; no change leaves the instance without an administrator (`accounts.keep_administered`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.control import accounts, audit, schema
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.records import from_json, to_json

TABLE, PEOPLE = schema.roles, schema.accounts
MOST = 1000
SHOWN = ("permissions", "actions", "domain", "sites")
UNBOUNDED = frozenset({"administer", "import"})  # whoever may do these could lift any bound


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role gives: permissions as plain words, the actions that may be run (None: all), the view domain as an
    NQL condition on devices (None: everything), the names of the sites whose devices are seen (None: all)."""

    permissions: frozenset[str]
    actions: frozenset[str] | None = None
    domain: str | None = None
    sites: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """A role, who changed it last, and how many accounts hold it."""

    name: str
    rights: Rights
    updated_at: int
    updated_by: str
    held_by: int = 0


class Roles:
    """Defining, finding and deleting roles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, name: str, rights: Rights, *, by: str, now: int) -> Role:
        """Make a role, or change it for all who hold it. Raises RefusedError."""
        bounded = rights.domain is not None or rights.sites is not None
        if bounded and (open_ended := sorted(rights.permissions & UNBOUNDED)):
            what = "a view domain" if rights.sites is None else "sites"
            message = f"a role with {what} cannot have the permission {open_ended[0]}: it could lift the bound"
            raise RefusedError("unbounded_permission", message)
        folded = name.casefold()
        values = {
            "name": name,
            "permissions": to_json(sorted(rights.permissions)),
            "actions": None if rights.actions is None else to_json(sorted(rights.actions)),
            "domain": rights.domain,
            "sites": None if rights.sites is None else to_json(sorted(rights.sites)),
            "updated_at": now,
            "updated_by": by,
        }

        def work(connection: Connection) -> Role:
            with accounts.keep_administered(connection):
                if connection.execute(update(TABLE).where(TABLE.c.folded == folded).values(values)).rowcount == 0:
                    if (connection.scalar(select(func.count()).select_from(TABLE)) or 0) >= MOST:
                        raise RefusedError("too_many_roles", f"there are at most {MOST} roles")
                    connection.execute(insert(TABLE).values(folded=folded, **values))
            detail = {name: value for name, value in values.items() if name in SHOWN}
            audit.record(connection, audit.Entry(now, by, "role.saved", f"role:{name}", detail))
            return load(connection, name)

        return self._database.write(work)

    def role(self, name: str) -> Role:
        """One role. Raises NotFoundError."""
        with self._database.read() as connection:
            return load(connection, name)

    def everything(self) -> list[Role]:
        """All roles, by name."""
        with self._database.read() as connection:
            return [_role(row) for row in connection.execute(_wide().order_by(TABLE.c.folded))]

    def delete(self, name: str, *, by: str, now: int) -> None:
        """Remove a role that no account holds. Raises NotFoundError, RefusedError."""

        def work(connection: Connection) -> None:
            role = load(connection, name)
            if role.held_by:
                message = f"{role.held_by} accounts hold the role {role.name}; give them another first"
                raise RefusedError("role_in_use", message)
            connection.execute(delete(TABLE).where(TABLE.c.folded == name.casefold()))
            audit.record(connection, audit.Entry(now, by, "role.deleted", f"role:{role.name}", {}))

        self._database.write(work)


def load(connection: Connection, name: str) -> Role:
    """A role by its name in any case. Raises NotFoundError."""
    row = connection.execute(_wide().where(TABLE.c.folded == name.casefold())).one_or_none()
    if row is None:
        raise NotFoundError("unknown_role", f"there is no role {name}")
    return _role(row)


def _wide() -> Any:
    """Roles with how many accounts that are not disabled hold them."""
    held = select(func.count()).where(PEOPLE.c.role == TABLE.c.folded, PEOPLE.c.disabled_at.is_(None))
    return select(TABLE, held.scalar_subquery().label("held_by"))


def _role(row: Row[Any]) -> Role:
    actions = None if row.actions is None else frozenset(from_json(row.actions))
    sites = None if row.sites is None else frozenset(from_json(row.sites))
    rights = Rights(frozenset(from_json(row.permissions)), actions, row.domain, sites)
    return Role(row.name, rights, row.updated_at, row.updated_by, row.held_by)
