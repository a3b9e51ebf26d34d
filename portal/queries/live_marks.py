"""Whether what a query reads has changed since it was last looked at.

In: a resolved plan, bound to what its asker sees, and a source. Out: a `Mark`; two of the same plan that are the same
have read the same rows. Invariants: no row that the plan could read comes without another mark; the other way round is
not promised (a day that is compacted is another mark of the same rows), so whoever asks again compares answers, too.
Rows of events are known by how many a window touches and the newest, objects by the values of the columns read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.source import Source
from nql.catalog.model import Catalog, Table, TableKind
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Scan, absolute, scans
from nql.plan.windows import Absolute
from portal.queries.execution import apart
from portal.queries.union import Rows
from storage.tables.api import Snapshot

ID, LIVE = "@id", "@live"


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What a plan reads: for each scan of rows with time how many there are and the newest; values of objects by table
    and column; rows beside the tables."""

    events: tuple[tuple[int, int], ...]
    objects: Mapping[tuple[str, str], Any]
    beside: Rows

    def same(self, other: Mark) -> bool:
        """Whether nothing has changed."""
        if (self.events, self.beside) != (other.events, other.beside) or self.objects.keys() != other.objects.keys():
            return False
        return all(_equal(held, other.objects[name]) for name, held in self.objects.items())


def marked(plan: ResolvedPlan, catalog: Catalog, source: Source) -> Mark | None:
    """The mark of all that a plan reads now, None for a source that tells nothing. Blocks for milliseconds."""
    base, beside = apart(source)
    if base is None:
        return None
    events, objects = list[tuple[int, int]](), dict[tuple[str, str], Any]()
    for scan in scans(plan.relation):
        found = catalog.tables.get(scan.table) or catalog.table(scan.table)
        if found is None:
            return None
        table = catalog.tables[found.base or found.name]
        if table.kind is not TableKind.OBJECT:
            events.append(_rows(base.snapshot, table.name, absolute(scan)))
        for key in _columns(scan, table, catalog):
            held = base.snapshot.objects.get(key[0])
            objects[key] = held[key[1]] if held is not None and key[1] in held.column_names else None
    return Mark(tuple(events), objects, beside)


def _rows(snapshot: Snapshot, table: str, window: Absolute | None) -> tuple[int, int]:
    """How many rows may lie in a window, and the number of the newest that is known."""
    count, newest = sum(item.rows for item in snapshot.dailies if item.table == table), -1
    for day in snapshot.days:
        if day.table == table and _meets(day.min_time, day.max_time, window):
            count += day.rows
    for segment in snapshot.segments:
        if segment.table == table and _meets(segment.min_time, segment.max_time, window):
            count += segment.rows
            newest = max(newest, segment.last_row)
    for part in snapshot.tail:
        if part.table == table and _meets(part.min_time, part.max_time, window):
            count += part.frame.height
            newest = max(newest, part.frame["@row"][-1])
    return count, newest


def _meets(first: int, last: int, window: Absolute | None) -> bool:
    return window is None or (first < window.end and last >= window.start)


def _columns(scan: Scan, table: Table, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """The columns of objects that a scan reads: its own, those at the end of links, and the keys by which rows belong
    to a configured item, or rows beside the tables to an object."""
    for column in scan.columns:
        target = table.name if column.link is None else column.link.table
        if catalog.tables[target].kind is TableKind.OBJECT:
            yield from ((target, name) for name in (ID, LIVE, column.stored))
    for target in () if table.kind is TableKind.OBJECT else table.links.values():
        yield from ((target, key) for key in catalog.tables[target].key)


def _equal(one: Any, other: Any) -> bool:
    return one is other or (one is not None and other is not None and bool(one.equals(other)))
