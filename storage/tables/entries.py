"""Entries of typed maps, held to what is configured: custom fields, answers and parameters of campaigns, snapshots,
outputs of actions.

In: judged columns of one table, and a catalog with what is configured. Out: the same columns, each entry that is
declared under the spelling it was declared in and in the form its type is stored in. Raises ValueError with the rest of
a sentence. Invariant: an entry that nobody declared stays as it is: rows and definitions may come in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from nql.catalog.model import Catalog, Field, Table
from nql.datatypes import Kind, Physical
from storage.tables.values import checked

_SLOTS: Mapping[Physical, tuple[str, ...]] = {
    Physical.INT64: ("number",),
    Physical.FLOAT64: ("real", "number"),
    Physical.BOOL: ("number",),
    Physical.UTF8: ("text",),
    Physical.LIST_UTF8: ("texts",),
}
Entry = Mapping[str, Any]
Fields = Mapping[tuple[str, str], Field]  # by map and entry, in lower case


def declared_form(catalog: Catalog, table: Table, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The columns with their declared entries as they are stored. Raises ValueError."""
    fields = _declared(catalog, table.name)
    result = dict(columns)
    if not fields:
        return result
    items = columns.get(f"@{table.namespace}", ())
    for name, values in columns.items():
        item = table.fields.get(name)
        if item is None or item.dtype.kind is not Kind.MAP:
            continue
        owners = [str(owner or "").lower() for owner in items] or [""] * len(values)
        result[name] = [_row(name, value, fields.get(owner, {})) for value, owner in zip(values, owners, strict=True)]
    return result


@lru_cache(maxsize=64)
def _declared(catalog: Catalog, table: str) -> Mapping[str, Fields]:
    """The entries that are declared for a table, by the item whose rows have them; all rows are those of ""."""
    found: dict[str, Fields] = {}
    for known in catalog.tables.values():
        if known.name == table or known.base == table:
            own = {(item.within, (item.entry or "").lower()): item for item in known.fields.values() if item.within}
            if own:
                found[f"#{known.nql_id}".lower() if known.nql_id else ""] = own
    return found


def _row(within: str, value: Sequence[Entry] | None, fields: Fields) -> Sequence[Entry] | None:
    if not value or not fields:
        return value
    return [_entry(entry, fields.get((within, entry["name"].lower()))) for entry in value]


def _entry(entry: Entry, field: Field | None) -> Entry:
    if field is None:
        return entry
    held = {slot: value for slot, value in entry.items() if slot != "name" and value is not None}
    if not held:
        return {"name": field.entry}
    if len(held) > 1 or not held.keys() <= set(_SLOTS[field.dtype.physical]):
        kind = field.dtype.kind.value.replace("_", " ")
        raise ValueError(f"holds {' and '.join(sorted(held))} under {field.entry}, which is a {kind}")
    ((slot, value),) = held.items()
    if field.dtype.physical is Physical.BOOL:
        if value not in (0, 1):
            raise ValueError(f"holds {value} under {field.entry}, which is 0 or 1")
        return {"name": field.entry, slot: value}
    if slot == "texts" or (slot == "number" and field.dtype.physical is Physical.FLOAT64):
        return {"name": field.entry, slot: value}
    (stored,) = checked(field.dtype, [value], strict=False)
    return {"name": field.entry, slot: stored}
