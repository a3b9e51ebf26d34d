"""What a plan will read: rows and bytes, told before it runs.

In: a resolved plan, a source that knows how much it has, and which scans stored states stand for. Out: a `Cost`.
Invariant: nothing is opened and nothing is read for it. It is an upper bound of the rows, but for states that turn out
to be damaged; bytes are those of the plain columns in memory, texts by a usual length. How long it takes is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

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
Grain = Literal["device", "quarter", "daily"]  # of stored states; daily samples are what a scan may ask for itself


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

    def stated(self, table: str, grain: Grain, *, start: int, end: int) -> int:
        """How many rows are read where stored states are taken as far as there are some: these, and rows of the
        table. Raises KeyError as `extent` does."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """So many rows are read at most, and so many bytes of columns."""

    rows: int
    bytes: int


def cost(plan: ResolvedPlan, source: Sized, told: Iterable[tuple[Scan, Grain]] = ()) -> Cost:
    """What a plan will read; `told` are scans of it that states of a grain stand for."""
    parts = [*_parts(plan, source, {id(scan): grain for scan, grain in told})]
    return Cost(sum(rows for rows, _ in parts), sum(rows * width for rows, width in parts))


def _parts(plan: ResolvedPlan, source: Sized, told: Mapping[int, Grain]) -> Iterator[tuple[int, int]]:
    """Rows of each table that is read, with their width; each linked table counts once a scan."""
    for scan in scans(plan.relation):
        window = absolute(scan)
        start, end = (None, None) if window is None else (window.start, window.end)
        linked: dict[str, int] = {}
        for column in scan.columns:
            if column.link is not None:
                linked[column.link.table] = linked.get(column.link.table, _KEY) + WIDTHS[column.dtype.physical]
        grain: Grain | None = "daily" if scan.daily else told.get(id(scan))
        if grain is None or start is None or end is None:
            yield source.extent(scan.table, start=start, end=end).rows, _width(scan)
        else:
            yield source.stated(scan.table, grain, start=start, end=end), _width(scan)
        yield from ((source.extent(table).rows, width) for table, width in linked.items())


def _width(scan: Scan) -> int:
    """Bytes of a row of the table itself, as far as it is read."""
    own = {column.stored: WIDTHS[column.dtype.physical] for column in scan.columns if column.link is None}
    own |= {column.link.key: _KEY for column in scan.columns if column.link is not None}
    own |= {} if scan.time is None else {scan.time: _KEY}
    return sum(own.values())
