"""Resident object tables: what the store knows of each device, user, binary, by dense id.

In: new keys, fields to set, instants at which an object was seen. Out: columns as Arrow, row position = id. Invariant:
an id is given once and never again; a row, once there, stays (an object that left its device's set is only no longer
`live`). Ids are allocated before the batch that needs them is durable and taken back if it fails; rows appear when it
is applied.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from nql.datatypes import Physical
from storage.naming import Naming
from storage.tables.columns import Column
from storage.tables.schema import ARROW, SEPARATOR, TEXT, TableSchema
from storage.tables.texts import CONFIGURED, KEPT, How, is_about, less, texts_of

KEY = "@key"
LIVE = "@live"
SEEN = frozenset({"first_seen", "last_seen"})
MOST_SIGHTINGS = 65_536  # that wait, of one table; an acknowledgement waits until they are put into the columns
_PIECE = 16_384  # keys
ERASED = "\x00erased "  # before the id: the key of what was erased


@dataclass(frozen=True, slots=True)
class Saved:
    """An object table at one instant. It never changes, and is put together by whoever needs it whole."""

    columns: Any
    keys: list[str]

    def arrow(self) -> Any:
        """The columns and the keys, which are taken by pieces: each holds up all other threads while it is."""
        pieces = [pa.array(self.keys[at : at + _PIECE], type=TEXT) for at in range(0, len(self.keys), _PIECE)]
        return self.columns.append_column(KEY, pa.chunked_array(pieces, type=TEXT))


class ObjectTable:
    """One object table. `rows` counts applied rows; `version` changes with every change; `dirty` tells of unsaved
    ones; `waiting` counts sightings that are not in the columns yet."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.ids: dict[str, int] = {}
        self.keys: list[str] = []
        self.rows = 0
        self.version = 0
        self.dirty = False
        self._columns: dict[str, Column] = {}
        self._live = Column(pa.bool_())
        self._sets: dict[int, set[int]] = {}
        self._erased: set[int] = set()
        self._arrow: tuple[int, Any] | None = None
        self._sightings: list[tuple[Any, Any]] = []
        self._met, self._met_at = array("q"), array("q")  # sightings one by one: rows and instants
        self.waiting = 0

    def allocate(self, key: str) -> int:
        """The id of a key, a new one if it has none."""
        found = self.ids.get(key)
        if found is None:
            found = self.ids[key] = len(self.keys)
            self.keys.append(key)
        return found

    def take_back(self, count: int) -> None:
        """Forget all ids from `count` on, which were allocated and never applied."""
        for key in self.keys[count:]:
            del self.ids[key]
        del self.keys[count:]

    def introduce(self, first: int, keys: Sequence[str]) -> None:
        """New rows, known by their keys alone. Raises ValueError if the ids are not the next ones."""
        if first != self.rows:
            raise ValueError(f"{self.schema.name} has {self.rows} rows, the new ones begin at {first}")
        for row, key in enumerate(keys, first):
            if self.allocate(key) != row:
                raise ValueError(f"{self.schema.name} knows a new key already")
            self._set_key(row, key)
        self.rows += len(keys)
        self._changed()

    def upsert(self, rows: Sequence[int], columns: Mapping[str, Sequence[Any]]) -> None:
        """Set fields of rows, later ones winning. A column that is not given stays, and so does a name of a typed map
        that is not given."""
        if SEEN.intersection(columns):
            self.settle()
        for name, values in columns.items():
            column = self._column(name)
            named = self.schema.columns.get(name) is Physical.VALUES
            for row, value in zip(rows, values, strict=True):
                column.set(row, _merged(column.get(row), value) if named else value)
        self._changed()

    def replace_sets(self, owners: Iterable[int], rows: Sequence[int], owner_of: Sequence[int]) -> None:
        """What these devices have is exactly `rows`; what they had besides is gone."""
        fresh: dict[int, set[int]] = {owner: set() for owner in owners}
        for row, owner in zip(rows, owner_of, strict=True):
            fresh[owner].add(row)
        for owner, now in fresh.items():
            for row in self._sets.get(owner, set()) - now:
                self._live.set(row, False)
            for row in now:
                self._live.set(row, True)
            self._sets[owner] = now
        self._changed()

    def link(self, name: str, row: int) -> int:
        """The object that a row's key names by this link."""
        found = self._column(name).get(row)
        if not isinstance(found, int):
            raise ValueError(f"row {row} of {self.schema.name} has no {name}")
        return found

    def seen(self, row: int, instant: int) -> None:
        """An object was seen at an instant; put into the columns with all sightings."""
        self._met.append(row)
        self._met_at.append(instant)
        self._count(1)

    def _count(self, sightings: int) -> None:
        self.waiting += sightings
        if self.waiting > MOST_SIGHTINGS:
            self.settle()
        self._changed()

    def sighted(self, rows: Any, times: Any) -> None:
        """Objects were seen at times: two Arrow arrays, where a row may be null. They are put into the columns
        together with others, when somebody asks for these."""
        self._sightings.append((rows, times))
        self._count(len(rows))

    def settle(self) -> None:
        """Put all sightings into the columns."""
        if self._met:
            self._sightings.append((_numbers(self._met), _numbers(self._met_at)))
            self._met, self._met_at = array("q"), array("q")
        if not self._sightings:
            return
        rows, times = (pa.chunked_array(list(some), type=pa.int64()) for some in zip(*self._sightings, strict=True))
        self._sightings, self.waiting = [], 0
        seen = pa.table({"row": rows, "time": times}).combine_chunks()  # a group costs ten times as much by small ones
        seen = seen.filter(pc.is_valid(seen["row"])) if rows.null_count else seen
        # By one thread, its own: a query may have all others.
        bounds = seen.group_by("row", use_threads=False).aggregate([("time", "min"), ("time", "max")]).sort_by("row")
        found = bounds["row"].to_pylist()
        for name, column, how in (
            ("first_seen", "time_min", pc.min_element_wise),
            ("last_seen", "time_max", pc.max_element_wise),
        ):
            if found:
                self._column(name).combine(found, bounds[column].combine_chunks(), how)

    def seen_if_never(self, rows: Iterable[int], instant: int) -> None:
        """Objects that nothing is known of when they were seen, were seen now; no sighting of them at another time may
        wait."""
        for column in map(self._column, sorted(SEEN)):
            for row in rows:
                if column.get(row) is None:
                    column.set(row, instant)
        self._changed()

    def keyed_by(self, gone: Mapping[str, Sequence[int]]) -> list[int]:
        """The rows whose keys name one of these objects, by table."""
        found: set[int] = set()
        for name in self.schema.key_links:
            ids = set(gone.get(self.schema.links[name], ()))
            column = self._column(name)
            found.update(row for row in range(self.rows) if ids and column.get(row) in ids)
        return sorted(found - self._erased)

    def named_by(self, words: Naming) -> list[int]:
        """The rows whose key holds one of these words; not devices and people, nor what somebody configured."""
        if self.schema.name in KEPT or self.schema.key_text in (None, CONFIGURED) or not self.rows:
            return []
        keys = pl.Series(self.keys[: self.rows]).str.split(SEPARATOR).list.last()
        said = less(keys, words, How(plain=is_about(self.schema)))
        return (said != keys).arg_true().to_list() if said is not keys else []

    def blank(self, words: Naming) -> None:
        """Have no text hold one of these words."""
        if self.schema.key_text == CONFIGURED:
            return
        held = {name: pl.Series(name, column.arrow(self.rows)) for name, column in self._columns.items()}
        for name, _, how in texts_of(self.schema, {name: series.dtype for name, series in held.items()}):
            before = held[name]
            after = less(before, words, how)
            if after is before:
                continue
            for row, (was, now) in enumerate(zip(before.to_list(), after.to_list(), strict=True)):
                if was != now:
                    self._columns[name].set(row, now)
        self._forget()

    def erase(self, rows: Sequence[int], gone: Mapping[str, Sequence[int]]) -> None:
        """Forget what was said of rows, and links of others to what is gone; they stay as numbers that nobody sees."""
        self.settle()
        for row in rows:
            for column in self._columns.values():
                column.set(row, None)
            if not self.keys[row].startswith(ERASED):
                del self.ids[self.keys[row]]
            self.keys[row] = f"{ERASED}{row}"
            self.ids[self.keys[row]] = row
            self._live.set(row, False)
            self._erased.add(row)
        for name, target in self.schema.links.items():
            ids = set(gone.get(target, ())) if name in self._columns else set()
            for row in range(self.rows) if ids else ():
                if self._columns[name].get(row) in ids:
                    self._columns[name].set(row, None)
        self._sets = {owner: held - set(rows) for owner, held in self._sets.items()}
        if rows:
            self._forget()

    def _forget(self) -> None:
        """Have no column hold what its values were, nor a file: the last one may have texts of before, too."""
        for column in self._columns.values():
            column.forget()
        self._changed()

    def arrow(self) -> Any:
        """All set columns as Arrow, with `@id`, and `@live` where objects can leave; made anew after a change."""
        self.settle()
        if self._arrow is None or self._arrow[0] != self.version:
            columns = {"@id": pa.arange(0, self.rows)}
            columns |= {name: column.arrow(self.rows) for name, column in self._columns.items()}
            if self.schema.owned:
                columns[LIVE] = self._live.arrow(self.rows)
            elif self._erased:
                columns[LIVE] = pa.array([row not in self._erased for row in range(self.rows)], type=pa.bool_())
            self._arrow = (self.version, pa.table(columns))
        return self._arrow[1]

    def saved(self) -> Saved:
        """What a file of this table holds: the columns of `arrow` and the key text of every id."""
        return Saved(self.arrow(), self.keys[: self.rows])

    def load(self, table: Any) -> None:
        """Take over what a file held; columns that the catalog does not know any more are kept."""
        self.keys = table[KEY].to_pylist()
        self.ids = {key: row for row, key in enumerate(self.keys)}
        self.rows = len(self.keys)
        if len(self.ids) != self.rows:
            raise ValueError(f"{self.schema.name} has the same key twice")
        for name in table.column_names:
            if name not in ("@id", KEY, LIVE):
                known = self.schema.columns.get(name)  # which may be wider than what was written
                held = table[name]
                wanted = held.type if known is None else ARROW[known]
                if held.type != wanted:
                    held = pa.chunked_array([pa.array(held.to_pylist(), type=wanted)], type=wanted)
                self._columns[name] = Column(wanted, held)
        self._erased = {row for row, key in enumerate(self.keys) if key == f"{ERASED}{row}"}
        if self.schema.owned and LIVE in table.column_names:
            self._load_live(table[LIVE].to_pylist())
        self._changed()
        self.dirty = False

    def _load_live(self, values: list[bool | None]) -> None:
        owners = self._column("@device")
        for row, live in enumerate(values):
            self._live.set(row, bool(live))
            if live:
                self._sets.setdefault(owners.get(row), set()).add(row)

    def _set_key(self, row: int, key: str) -> None:
        parts = key.split(SEPARATOR, len(self.schema.key) - 1)
        for name, part in zip(self.schema.key, parts, strict=True):
            self._column(name).set(row, int(part) if name.startswith("@") else part)

    def _column(self, name: str) -> Column:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = Column(ARROW[self.schema.columns[name]])
        return column

    def _changed(self) -> None:
        self.version += 1
        self.dirty = True


def _numbers(values: array[int]) -> Any:
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def _merged(before: Sequence[Mapping[str, Any]] | None, now: Sequence[Mapping[str, Any]] | None) -> Any:
    """A typed map with some names set anew; without a map, nothing is left of it."""
    if not before or now is None:
        return now
    return list({entry["name"]: entry for entry in (*before, *now)}.values())
