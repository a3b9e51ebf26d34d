"""Who is logged in at which device, as devices tell. Writes the table `people_present`, and nothing else does.

In: a device, and the keys of the people at it. Out: for a person the devices to ask at. Invariants: what a device says
replaces what it said before; it speaks of accounts of its own and of those a directory knows, never of an account of
another device, so that a device in wrong hands does not draw what is meant for somebody there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select

from storage.control import schema_campaigns
from storage.control.database import Database
from storage.control.prepared import Prepared, texts
from storage.control.records import to_json

TABLE = schema_campaigns.people_present
MOST = 64  # people at one device
_AT = Prepared(select(TABLE.c.person).where(TABLE.c.device == bindparam("of_device")))
_OF_A_DEVICE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=:)")  # what begins the key of a local account


class PeoplePresent:
    """Noting and finding them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, device: str, people: Iterable[str], *, now: int) -> bool:
        """A device says who is logged in there; whether that changed anything."""
        wanted = {person for person in people if _may_tell(device, person)}

        def work(connection: Connection) -> bool:
            known = {row.person for row in _AT.all(connection, of_device=device)}
            if gone := known - wanted:
                mine = TABLE.c.device == device
                connection.execute(delete(TABLE).where(mine, TABLE.c.person.in_(sorted(gone))))
            if came := sorted(wanted - known)[: max(0, MOST - len(known & wanted))]:
                connection.execute(insert(TABLE), [{"device": device, "person": one, "since": now} for one in came])
            return bool(gone or came)

        return self._database.write(work)

    def at(self, devices: Collection[str]) -> dict[str, list[str]]:
        """Who is logged in at each of these devices; those with nobody are left out."""
        mine = TABLE.c.device.in_(texts(to_json(sorted(devices))))
        found: dict[str, list[str]] = {}
        with self._database.read() as connection:
            for device, person in connection.execute(
                select(TABLE.c.device, TABLE.c.person).where(mine).order_by(TABLE.c.device, TABLE.c.person)
            ):
                found.setdefault(device, []).append(person)
        return found

    def devices_of(self, people: Collection[str]) -> set[str]:
        """Where any of these people is logged in."""
        query = select(TABLE.c.device).where(TABLE.c.person.in_(texts(to_json(sorted(people))))).distinct()
        with self._database.read() as connection:
            return set(connection.scalars(query))


def _may_tell(device: str, person: str) -> bool:
    found = _OF_A_DEVICE.match(person)
    return found is None or found[0] == device
