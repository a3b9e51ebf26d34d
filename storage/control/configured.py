"""What is configured beside actions: campaigns, custom trends and custom fields. Writes the table `configured_items`,
and nothing else does.

In: items (`nql.catalog.configured`). Out: the same, for the catalog in force. Invariants: an item is known by its kind
and its name without regard to case; a field that was declared keeps the way its values are held, but a whole number may
widen to a float, so that rows of any age can be read; what says nothing new writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, func, insert, select

from nql.catalog.configured import Campaign, CustomField, Item, Trend, item_of, key_of, written
from nql.datatypes import DataType, Physical
from storage.control import audit, schema
from storage.control.database import Database
from storage.control.errors import RefusedError
from storage.control.records import from_json, to_json

TABLE = schema.configured_items
MOST = 2000  # of each kind


class Configured:
    """Declaring and finding items."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def declare(self, items: Iterable[Item], *, by: str, now: int) -> int:
        """Store items, each in the place of what was declared under its name; how many said something new. Raises
        RefusedError, with nothing stored."""
        wanted = {key_of(item): item for item in items}

        def work(connection: Connection) -> int:
            changed = [item for item in wanted.values() if _changes(connection, item)]
            for item in changed:
                _store(connection, item, by, now)
            for kind in {key_of(item)[0] for item in changed}:
                _check_room(connection, kind)
            return len(changed)

        return self._database.write(work) if wanted else 0

    def everything(self) -> list[Item]:
        """All items, by kind and name."""
        query = select(TABLE.c.definition).order_by(TABLE.c.kind, TABLE.c.name)
        with self._database.read() as connection:
            return [item_of(from_json(text)) for text in connection.scalars(query)]


def put(connection: Connection, item: Item, *, by: str, now: int) -> None:
    """As `declare`, of one item in the caller's transaction. Raises RefusedError."""
    if _changes(connection, item):
        _store(connection, item, by, now)
        _check_room(connection, key_of(item)[0])


def _changes(connection: Connection, item: Item) -> bool:
    """Whether an item differs from what is stored. Raises RefusedError where it may not."""
    kind, name = key_of(item)
    query = select(TABLE.c.definition).where(TABLE.c.kind == kind, TABLE.c.name == name)
    text = connection.scalar(query)
    if text is None:
        return True
    known = item_of(from_json(text))
    if known == item:
        return False
    before, after = _types(known), _types(item)
    for field in before.keys() & after.keys():
        if not _same_or_wider(before[field], after[field]):
            message = (
                f"{field} of {kind.replace('_', ' ')} {name} was {before[field].kind.value} before and cannot become "
                f"{after[field].kind.value}; give it another name"
            )
            raise RefusedError("changed_field", message)
    return True


def _store(connection: Connection, item: Item, by: str, now: int) -> None:
    kind, name = key_of(item)
    connection.execute(delete(TABLE).where(TABLE.c.kind == kind, TABLE.c.name == name))
    values = {"kind": kind, "name": name, "definition": to_json(written(item)), "updated_at": now, "updated_by": by}
    connection.execute(insert(TABLE).values(values))
    audit.record(connection, audit.Entry(now, by, "configured.declared", f"{kind}:{name}", written(item)))


def _check_room(connection: Connection, kind: str) -> None:
    count = connection.scalar(select(func.count()).select_from(TABLE).where(TABLE.c.kind == kind)) or 0
    if count > MOST:
        raise RefusedError("too_many", f"there can be at most {MOST} items of kind {kind.replace('_', ' ')}")


def _types(item: Item) -> Mapping[str, DataType]:
    match item:
        case Campaign():
            return {}
        case Trend():
            return {name.lower(): dtype for name, dtype in item.fields.items()}
        case CustomField():
            return {item.path.lower(): item.dtype}


def _same_or_wider(before: DataType, after: DataType) -> bool:
    """Whether values held as one type are read rightly as the other."""
    same = before.kind is after.kind and before.physical is after.physical
    wider = before.physical is Physical.INT64 and after.physical is Physical.FLOAT64
    return same or (wider and before.numeric and after.numeric)
