"""Leases: which of several portals does what only one may do. Writes the table `leases`, and nothing else does.

In: a lease's name, a holder, the instant. Out: a token, or None while another holds it. Invariant: the token grows
whenever the holder changes, so that whoever slept through the end of its lease is told by `check` in the transaction
of what it writes, and writes nothing. A lease that ends later than any lease lasts was given by a clock that was wrong,
and counts as over.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, insert, select, update

from storage.control import audit, schema_schedules
from storage.control.database import Database
from storage.control.errors import ConflictError

TABLE = schema_schedules.leases
SECOND = 1_000_000
LASTS = 60 * SECOND


class LeaseLostError(ConflictError):
    """Another holds the lease by now: nothing was written."""


class Leases:
    """Taking and giving back leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, name: str, holder: str, *, now: int, lasts: int = LASTS) -> int | None:
        """The token of a lease that `holder` has for `lasts` from now, taken or renewed; None while another has it."""
        with self._database.read() as connection:
            row = connection.execute(select(TABLE).where(TABLE.c.name == name)).one_or_none()
            if row is not None and _held(row.until, now):
                if row.holder != holder:
                    return None
                if row.until - now > lasts // 2:  # half of it is left: nothing needs to be written
                    return int(row.token)
        return self._database.write(lambda connection: _take(connection, name, holder, now, lasts))

    def held(self, names: Collection[str], *, now: int) -> set[str]:
        """Those of some leases that somebody holds now."""
        with self._database.read() as connection:
            rows = connection.execute(select(TABLE).where(TABLE.c.name.in_(sorted(names)))).all()
        return {row.name for row in rows if _held(row.until, now)}

    def release(self, name: str, token: int, *, now: int) -> None:
        """Give a lease back early, if it is still the one of this token."""
        mine = (TABLE.c.name == name, TABLE.c.token == token)
        self._database.write(lambda connection: connection.execute(update(TABLE).where(*mine).values(until=now)))


def check(connection: Connection, name: str, token: int) -> None:
    """Raises LeaseLostError where the lease has another token by now; in the caller's transaction."""
    if connection.scalar(select(TABLE.c.token).where(TABLE.c.name == name)) != token:
        raise LeaseLostError("lease_lost", f"another process holds the lease {name} by now")


def _held(until: int, now: int) -> bool:
    return now < until <= now + 2 * LASTS


def _take(connection: Connection, name: str, holder: str, now: int, lasts: int) -> int | None:
    row = connection.execute(select(TABLE).where(TABLE.c.name == name)).one_or_none()
    values = {"holder": holder, "until": now + lasts}
    if row is None:
        connection.execute(insert(TABLE).values(name=name, token=1, **values))
        token = 1
    elif row.holder == holder:
        connection.execute(update(TABLE).where(TABLE.c.name == name).values(**values))
        return int(row.token)
    elif _held(row.until, now):
        return None
    else:
        token = int(row.token) + 1
        connection.execute(update(TABLE).where(TABLE.c.name == name).values(token=token, **values))
    audit.record(connection, audit.Entry(now, audit.PORTAL, "lease.taken", f"lease:{name}", {"token": token}))
    return token
