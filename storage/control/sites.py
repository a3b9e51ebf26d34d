"""Sites: the partitions that devices belong to, and what the process that serves one has to take. Writes the tables
`sites` and `site_orders`, and nothing else does.

In: what an administrator says of a site; runs that a site's process shall take. Out: sites, and whether the orders were
taken. Invariants: there is always exactly one standard site, made when the database is first opened; every device has
a site; a site keeps its id and its name for ever; an order is taken by who holds the site's lease, once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.control import audit, leases, schema
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.ids import uuid7

TABLE, ORDERS = schema.sites, schema.site_orders
STANDARD = "default"
MOST = 1000
DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Site:
    """One site; new devices join the standard one unless their key says another. `address` and `port` are where clients
    of the classic APIs reach it, `zone` its time zone, None for what the instance has."""

    id: str
    name: str
    standard: bool
    address: str | None = None
    port: int | None = None
    description: str = ""
    zone: str | None = None
    machine: str = ""

    @property
    def lease(self) -> str:
        """The name of the lease of who serves it."""
        return f"site:{self.id}"


@dataclass(frozen=True, slots=True)
class Order:
    """How an order to a site stands: `error` is set where its process could not take it."""

    site: str
    taken: bool
    error: str | None


class Sites:
    """Making and finding sites, and orders to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ensure_standard(self, *, now: int) -> Site:
        """The standard site, made if this is a new database."""

        def work(connection: Connection) -> Site:
            row = connection.execute(select(TABLE).where(TABLE.c.standard)).one_or_none()
            return _site(row) if row is not None else _made(connection, STANDARD, {}, audit.PORTAL, now, standard=True)

        return self._database.write(work)

    def everyone(self) -> list[Site]:
        """All sites, the standard one first."""
        query = select(TABLE).order_by(TABLE.c.standard.desc(), TABLE.c.name)
        with self._database.read() as connection:
            return [_site(row) for row in connection.execute(query)]

    def site(self, name: str) -> Site:
        """The site of a name in any case. Raises NotFoundError."""
        with self._database.read() as connection:
            return named(connection, name)

    def create(self, name: str, said: dict[str, Any], *, by: str, now: int) -> Site:
        """Make a site; `said` may have `address`, `port`, `description`, `zone`. Raises ConflictError, RefusedError."""

        def work(connection: Connection) -> Site:
            if _find(connection, name) is not None:
                raise ConflictError("site_exists", f"there is a site {name} already")
            if (connection.scalar(select(func.count()).select_from(TABLE)) or 0) >= MOST:
                raise RefusedError("too_many_sites", f"there are at most {MOST} sites")
            return _made(connection, name, said, by, now)

        return self._database.write(work)

    def change(self, name: str, said: dict[str, Any], *, by: str, now: int) -> Site:
        """Change what is said of a site. Raises NotFoundError."""

        def work(connection: Connection) -> Site:
            site = named(connection, name)
            if said:
                connection.execute(update(TABLE).where(TABLE.c.id == site.id).values(**said))
            detail = {"name": site.name, **said}
            audit.record(connection, audit.Entry(now, by, "site.changed", f"site:{site.id}", detail))
            return named(connection, name)

        return self._database.write(work)

    # --- orders --------------------------------------------------------------------------------
    def order(self, run: str, sites: Collection[str], *, now: int) -> None:
        """Have the processes that serve some sites (by id) take a run."""
        rows = [{"site": site, "run": run, "asked_at": now} for site in sorted(sites)]

        def work(connection: Connection) -> None:
            connection.execute(delete(ORDERS).where(ORDERS.c.asked_at < now - DAY))
            connection.execute(insert(ORDERS), rows)

        if rows:
            self._database.write(work)

    def orders_of(self, run: str) -> list[Order]:
        """How the orders of a run stand."""
        with self._database.read() as connection:
            rows = connection.execute(select(ORDERS).where(ORDERS.c.run == run)).all()
        return [Order(row.site, row.taken_at is not None, row.error) for row in rows]

    def waiting(self, sites: Collection[str]) -> list[tuple[int, str, str]]:
        """The number, site and run of each order to some sites that nobody has taken, oldest first."""
        query = select(ORDERS.c.id, ORDERS.c.site, ORDERS.c.run).where(
            ORDERS.c.taken_at.is_(None), ORDERS.c.site.in_(sorted(sites))
        )
        with self._database.read() as connection:
            return [(row.id, row.site, row.run) for row in connection.execute(query.order_by(ORDERS.c.id))]

    def take(self, order: int, site: str, token: int, *, error: str | None = None, now: int) -> None:
        """Confirm an order, or say why it could not be taken. Raises LeaseLostError where another serves the site."""

        def work(connection: Connection) -> None:
            leases.check(connection, f"site:{site}", token)
            done = update(ORDERS).where(ORDERS.c.id == order, ORDERS.c.taken_at.is_(None))
            connection.execute(done.values(taken_at=now, error=error))

        self._database.write(work)


def named(connection: Connection, name: str) -> Site:
    """The site of a name in any case, on the caller's connection. Raises NotFoundError."""
    row = _find(connection, name)
    if row is None:
        raise NotFoundError("unknown_site", f"there is no site {name}")
    return _site(row)


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(TABLE).where(func.lower(TABLE.c.name) == name.lower())).one_or_none()


def _made(
    connection: Connection, name: str, said: dict[str, Any], by: str, now: int, *, standard: bool = False
) -> Site:
    values = {"id": uuid7(now), "name": name, "standard": standard, "machine": uuid7(now), **said}
    connection.execute(insert(TABLE).values(**values, created_at=now))
    detail = {"name": name, **said}
    audit.record(connection, audit.Entry(now, by, "site.created", f"site:{values['id']}", detail))
    return named(connection, name)


def _site(row: Row[Any]) -> Site:
    shown = (row.address, row.port, row.description or "", row.zone, row.machine or row.id)
    return Site(row.id, row.name, row.standard, *shown)
