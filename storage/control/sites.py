"""Sites: the partitions that devices belong to. Writes the table `sites`, and nothing else does.

Invariant: there is always exactly one standard site, made when the database is first opened; every device has a site.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from storage.control import audit, schema
from storage.control.database import Database
from storage.control.ids import uuid7

TABLE = schema.sites
STANDARD = "default"


@dataclass(frozen=True, slots=True)
class Site:
    """One site. New devices join the standard one."""

    id: str
    name: str
    standard: bool


class Sites:
    """Finding sites."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure_standard(self, *, now: int) -> Site:
        """The standard site, made if this is a new database."""

        def work(connection: Connection) -> Site:
            row = connection.execute(select(TABLE).where(TABLE.c.standard)).one_or_none()
            if row is not None:
                return Site(row.id, row.name, row.standard)
            site = Site(uuid7(now), STANDARD, True)
            connection.execute(insert(TABLE).values(id=site.id, name=site.name, standard=True, created_at=now))
            audit.record(
                connection, audit.Entry(now, audit.PORTAL, "site.created", f"site:{site.id}", {"name": site.name})
            )
            return site

        return self._database.write(work)

    def everyone(self) -> list[Site]:
        """All sites, the standard one first."""
        query = select(TABLE).order_by(TABLE.c.standard.desc(), TABLE.c.name)
        with self._database.read() as connection:
            return [Site(row.id, row.name, row.standard) for row in connection.execute(query)]
