"""What a plan will read: rows and bytes, told before it runs.

In: a resolved plan and a source that knows how much it has. Out: a `Cost`. Invariant: nothing is opened and nothing is
read for it. It is an upper bound of the rows, since stored states may answer in their place; bytes are those of the
plain columns in memory, texts by a usual length. How long it takes is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from nql.datatypes import Physical
from nql.plan.plan import ResolvedPlan
from nql.plan.relations import Scan, absolute, scans

WIDTHS: Mapping[Physical, int] = {
    Physical.INT64: 8,
    Physical.FLOAT64: 8,
    Physical.BOOL: 1,
    Physical.UTF8: 24,
    Physical.LIST_UTF8: 64,
    Physical.VALUES: 256,
}
_KEY = 8  # a hidden key


class Extent(Protocol):
    """What a scan touches."""

    @property
    def rows(self) -> int:
        """At most so many stored rows."""
        ...


class Sized(Protocol):
    """A source that knows how much it has."""

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        """What a scan touches. Raises KeyError for a table that the catalog does not know."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """So many rows are read at most, and so many bytes of columns."""

    rows: int
    bytes: int


def cost(plan: ResolvedPlan, source: Sized) -> Cost:
    """What a plan will read."""
    parts = [*_parts(plan, source)]
    return Cost(sum(rows for rows, _ in parts), sum(rows * width for rows, width in parts))


def _parts(plan: ResolvedPlan, source: Sized) -> Iterator[tuple[int, int]]:
    """Rows of each table that is read, with their width; each linked table counts once a scan."""
    for scan in scans(plan.relation):
        window = absolute(scan)
        start, end = (None, None) if window is None else (window.start, window.end)
        linked: dict[str, int] = {}
        for column in scan.columns:
            if column.link is not None:
                linked[column.link.table] = linked.get(column.link.table, _KEY) + WIDTHS[column.dtype.physical]
        yield source.extent(scan.table, start=start, end=end).rows, _width(scan)
        yield from ((source.extent(table).rows, width) for table, width in linked.items())


def _width(scan: Scan) -> int:
    """Bytes of a row of the table itself, as far as it is read."""
    own = {column.stored: WIDTHS[column.dtype.physical] for column in scan.columns if column.link is None}
    own |= {column.link.key: _KEY for column in scan.columns if column.link is not None}
    own |= {} if scan.time is None else {scan.time: _KEY}
    return sum(own.values())
