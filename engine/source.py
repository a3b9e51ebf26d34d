"""What an engine needs of stored tables, stated by the engine; storage provides it without knowing the engine.

In: a table's name, the stored columns wanted (`nql.catalog.model.Table.stored`), and a window. Out: a lazy frame with
exactly these columns in this order, physical types of `nql.datatypes`. Invariant: one source is one snapshot; every
scan of it sees the same rows, however long the query takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl


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
