"""What there is of one device or person in a snapshot: who is meant by a name, which words name it, how many rows it
has.

In: a source, the table of the object, an identifier or a name. Out: identifiers, words, counts. Invariants: a name that
another one has, too, is no word that names this one; what is counted is what an erasure takes away or changes by links,
not what it blanks. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from storage.naming import Naming, naming
from storage.tables.read import SnapshotSource
from storage.tables.schema import DEVICES, schemas_of
from storage.tables.texts import PERSONS

_IDS = {
    DEVICES: ("uid", "collector.uid"),
    PERSONS: ("uid", "sid", "upn", "ad.email_address", "ad.distinguished_name"),
}
_NAMES = {DEVICES: ("name",), PERSONS: ("name", "username", "ad.username", "ad.full_name")}
OBJECTS = tuple(_IDS)


@dataclass(frozen=True, slots=True)
class Object:
    """A device or a person: its identifier and its name."""

    uid: str
    name: str | None


def find(source: SnapshotSource, table: str, *, uid: str | None = None, name: str | None = None) -> list[Object]:
    """Those with this identifier or this name, whose case does not count."""
    rows = source.scan(table, ["uid", "name"])
    if uid is not None:
        rows = rows.filter(pl.col("uid") == uid)
    if name is not None:
        rows = rows.filter(pl.col("name").str.to_lowercase() == name.lower())
    return [Object(*row) for row in rows.sort("uid").collect().rows()]


def words_of(source: SnapshotSource, table: str, uid: str) -> Naming:
    """By which words texts name it; the identifier alone where nothing is known of it."""
    ids, names = _IDS[table], _NAMES[table]
    rows = source.scan(table, list(dict.fromkeys((*ids, *names)))).collect()
    mine = rows.filter(pl.col("uid") == uid)
    if not mine.height:
        return naming([uid])
    called = _texts(mine, names)
    others = {text.lower() for text in _texts(rows.filter(pl.col("uid") != uid), names)}
    return naming([uid, *_texts(mine, ids)], [text for text in called if text.lower() not in others])


def counts(source: SnapshotSource, table: str, uid: str) -> dict[str, int]:
    """How many rows of each table belong to it or link to it; tables without any are left out. May read every day."""
    held = source.scan(table, ["@id", "uid"]).filter(pl.col("uid") == uid).collect()
    if not held.height:
        return {}
    number, found = held["@id"][0], {}
    for schema in schemas_of(source.catalog).everything():
        links = [link for link, target in schema.links.items() if target == table]
        if links:
            mine = pl.any_horizontal(pl.col(link) == number for link in links)
            found[schema.name] = int(source.scan(schema.name, links).filter(mine).select(pl.len()).collect().item())
    return {name: count for name, count in sorted(found.items()) if count}


def _texts(rows: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    return [text for name in columns for text in rows[name].drop_nulls().to_list() if text]
