"""What an engine needs of stored tables, stated by the engine; storage provides it without knowing the engine.

In: a table's name, the stored columns wanted (`nql.catalog.model.Table.stored`), and a window. Out: a lazy frame with
exactly these columns in this order, physical types of `nql.datatypes`; and, of a source that knows how its rows lie,
the same rows in parts, and states of whole spans of time that were computed when these were stored. Invariant: one
source is one snapshot; every scan of it sees the same rows, however long the query takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal as Choice
from typing import Protocol, TypeGuard

import polars as pl

from engine.cost import Extent

Grain = Choice["device", "quarter"]
CODE = "@code"  # after the name of a column of texts: the place of each row's text among the different ones


class Source(Protocol):
    """One snapshot of all tables."""

    @property
    def complete_until(self) -> int:
        """The instant, in microseconds UTC, up to which everything acknowledged is visible here."""
        ...

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """Rows of a table whose time lies in `[start, end)`, all rows without a window.

        Objects come in the order of `@id`, one row an id, without gaps where possible; events in any order. `daily`
        gives one row a day of the instance zone and dimension set instead of the stored buckets: `start_time`,
        `end_time`, `bucket_duration` are the day's, counters are summed, gauges combined. A table nobody wrote to is
        empty, never an error. Raises KeyError for a table or column that the catalog does not know.
        """
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table that lie together: `frame` has exactly the columns asked for and is cut to the window, `rows`
    is how many are stored, an upper bound. `day` is the UTC day (days since 1970) that all of them lie in, None if they
    may lie in several. `by_device` says that they are sorted by (`@device`, time, `@row`), nulls first.

    `bounds` tells of columns of whole numbers what none is below or above, as far as that is known. `runs` are the
    devices of rows that are sorted, in order, with how many rows each has (`@device`, `len`); None if not counted. They
    may be counted of rows that the window cuts at one end: then `whole` has all these rows in place of `frame`, and
    `inside`, of one column, says which of them are in the window."""

    frame: pl.LazyFrame
    rows: int
    day: int | None
    by_device: bool
    bounds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    runs: pl.DataFrame | None = None
    whole: pl.LazyFrame | None = None
    inside: pl.LazyFrame | None = None


@dataclass(frozen=True, slots=True)
class Rollup:
    """States of whole spans of time: `frame` has the key of the grain, `@rows`, and `<column>:<state>` columns, as many
    rows a key as there are spans or more. `covers` are these spans `[start, end)`, in microseconds, ascending and
    disjoint, inside the window asked for: outside of them raw rows are to be read."""

    frame: pl.LazyFrame
    covers: tuple[tuple[int, int], ...]


class Laid(Source, Protocol):
    """A source that tells how its rows lie."""

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        """How many rows a scan touches at most, told at once."""
        ...

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        """The rows that `scan` gives, each in one part; the newest day first, parts without a day before all."""
        ...

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        """Stored states of the rows whose time lies in `[start, end)`, None where there are none or one is never kept.

        Grain `device` has the key `@device`, `quarter` the key `@quarter` (start of a quarter of an hour, microseconds
        UTC). `states` are names such as `cpu_time:sum`; of numeric columns there may be `sum`, `count` (of values),
        `min`, `max`, and `@rows` is always there. A span in which a state is not known, because the column's sum is
        beyond 64 bits, is not covered.
        """
        ...


class Texts(Protocol):
    """The different texts of a column, ascending: by `folded`, their lower case, then as they are. Neither has null."""

    @property
    def texts(self) -> pl.Series:
        """The texts."""
        ...

    @property
    def folded(self) -> pl.Series:
        """Their lower case."""
        ...

    @property
    def apart(self) -> bool:
        """Whether no two of them differ in case alone."""
        ...


class Telling(Source, Protocol):
    """A source that tells texts of objects apart."""

    def texts(self, table: str, column: str) -> Texts | None:
        """The different texts of a column of an object table, None if they are not at hand. If they are, `scan` gives
        of the column with CODE after its name whole numbers, which text each row has; null for none."""
        ...


def telling(source: Source) -> TypeGuard[Telling]:
    """Whether a source tells texts apart."""
    return hasattr(source, "texts")


def laid(source: Source) -> TypeGuard[Laid]:
    """Whether a source tells how its rows lie; of any other, rows are scanned."""
    return hasattr(source, "parts") and hasattr(source, "rollup") and hasattr(source, "extent")


class Around:
    """A source around another, which it is like until a method says otherwise."""

    def __init__(self, base: Source) -> None:
        self.base = base

    @property
    def complete_until(self) -> int:
        """As the source under it."""
        return self.base.complete_until

    def texts(self, table: str, column: str) -> Texts | None:
        """As the source under it, None where that does not tell."""
        return self.base.texts(table, column) if telling(self.base) else None

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """As the source under it."""
        return self.base.scan(table, columns, start=start, end=end, daily=daily)


class AroundLaid(Around):
    """The same around a source that tells how its rows lie."""

    def __init__(self, base: Laid) -> None:
        super().__init__(base)
        self.laid = base

    def extent(self, table: str, *, start: int | None = None, end: int | None = None) -> Extent:
        """As the source under it."""
        return self.laid.extent(table, start=start, end=end)

    def parts(
        self, table: str, columns: Sequence[str], *, start: int | None = None, end: int | None = None
    ) -> Sequence[Part]:
        """As the source under it."""
        return self.laid.parts(table, columns, start=start, end=end)

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> Rollup | None:
        """As the source under it."""
        return self.laid.rollup(table, grain, states, start=start, end=end)
