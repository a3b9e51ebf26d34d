"""Secrets that scripts may read. Writes the tables `vault` and `vault_grants`, and nothing else does.

In: names, sealed values, actions they are granted to. Out: names, and sealed values for one action. Invariants: a plain
value never comes here; an action gets what was granted to it by name, and nothing else; deleting a secret takes its
grants with it. The audit log has names, never values.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.control import audit, schema, schema_trust
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError

VAULT, GRANTS = schema_trust.vault, schema_trust.vault_grants
MOST = 1000


@dataclass(frozen=True, slots=True)
class Secret:
    """What may be shown of a secret: `actions` may read it."""

    name: str
    actions: tuple[str, ...]
    created_at: int
    updated_at: int
    updated_by: str


class Vault:
    """Stored secrets and their grants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, name: str, sealed: bytes, *, by: str, now: int) -> Secret:
        """Keep a value, in place of the former. Raises RefusedError: too_many_secrets."""

        def work(connection: Connection) -> Secret:
            values = {"sealed": sealed, "updated_at": now, "updated_by": by}
            known = connection.scalar(select(VAULT.c.name).where(VAULT.c.name == name))
            if known is not None:
                connection.execute(update(VAULT).where(VAULT.c.name == name).values(values))
            elif (connection.scalar(select(func.count()).select_from(VAULT)) or 0) >= MOST:
                raise RefusedError("too_many_secrets", f"{MOST} secrets are the most; delete one first")
            else:
                connection.execute(insert(VAULT).values(name=name, created_at=now, **values))
            _record(connection, "secret.set", name, {}, by, now)
            return _find(connection, name)

        return self._database.write(work)

    def delete(self, name: str, *, by: str, now: int) -> None:
        """Forget a secret and its grants. Raises NotFoundError."""

        def work(connection: Connection) -> None:
            _find(connection, name)
            connection.execute(delete(GRANTS).where(GRANTS.c.secret == name))
            connection.execute(delete(VAULT).where(VAULT.c.name == name))
            _record(connection, "secret.deleted", name, {}, by, now)

        self._database.write(work)

    def grant(self, name: str, action: str, *, by: str, now: int) -> Secret:
        """Let the scripts of an action read a secret. Raises NotFoundError."""

        def work(connection: Connection) -> Secret:
            known = _find(connection, name)
            if connection.scalar(select(schema.actions.c.uid).where(schema.actions.c.nql_id == action)) is None:
                raise NotFoundError("unknown_action", f"there is no action {action}")
            if action not in known.actions:
                connection.execute(insert(GRANTS).values(secret=name, action=action, granted_at=now, granted_by=by))
                _record(connection, "secret.granted", name, {"action": action}, by, now)
            return _find(connection, name)

        return self._database.write(work)

    def revoke(self, name: str, action: str, *, by: str, now: int) -> Secret:
        """Let an action read a secret no more. Raises NotFoundError."""

        def work(connection: Connection) -> Secret:
            if action not in _find(connection, name).actions:
                raise NotFoundError("unknown_grant", f"the secret {name} is not granted to {action}")
            connection.execute(delete(GRANTS).where(GRANTS.c.secret == name, GRANTS.c.action == action))
            _record(connection, "secret.revoked", name, {"action": action}, by, now)
            return _find(connection, name)

        return self._database.write(work)

    def everything(self) -> list[Secret]:
        """All secrets by name, without their values."""
        with self._database.read() as connection:
            rows = connection.execute(select(VAULT).order_by(VAULT.c.name)).all()
            return [_secret(connection, row) for row in rows]

    def granted(self, action: str, names: Collection[str]) -> dict[str, bytes]:
        """The sealed values among these names that an action may read."""
        query = select(VAULT.c.name, VAULT.c.sealed).join(GRANTS, GRANTS.c.secret == VAULT.c.name)
        with self._database.read() as connection:
            rows = connection.execute(query.where(GRANTS.c.action == action, VAULT.c.name.in_(names))).all()
        return {row.name: row.sealed for row in rows}


def _find(connection: Connection, name: str) -> Secret:
    row = connection.execute(select(VAULT).where(VAULT.c.name == name)).one_or_none()
    if row is None:
        raise NotFoundError("unknown_secret", f"there is no secret {name[:64]}")
    return _secret(connection, row)


def _secret(connection: Connection, row: Row[Any]) -> Secret:
    query = select(GRANTS.c.action).where(GRANTS.c.secret == row.name).order_by(GRANTS.c.action)
    return Secret(row.name, tuple(connection.scalars(query)), row.created_at, row.updated_at, row.updated_by)


def _record(connection: Connection, action: str, name: str, detail: dict[str, str], by: str, now: int) -> None:
    audit.record(connection, audit.Entry(now, by, action, f"secret:{name}", detail))
