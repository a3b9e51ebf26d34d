"""A source with rows beside it, such as the executions that are still open.

In: a source, and rows of some tables as plain data. Out: a source that gives both. Invariant: the rows beside get row
numbers above all stored ones, because they are the newest. It knows neither where the rows come from nor the rest of
the portal, so that a worker process has it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from engine.lazyframe.dtypes import polars_type
from engine.source import Source
from nql.catalog.model import Catalog, Table

FIRST_ROW = 1 << 62
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class UnionSource:
    """A source with rows added to some tables. Rows name objects by key text (`@device`: uid)."""

    def __init__(self, base: Source, catalog: Catalog, rows: Rows) -> None:
        self.base = base
        self._catalog = catalog
        self.rows = rows

    @property
    def complete_until(self) -> int:
        """As the tables say: what is open is newer than anything."""
        return self.base.complete_until

    def scan(
        self,
        table: str,
        columns: Sequence[str],
        *,
        start: int | None = None,
        end: int | None = None,
        daily: bool = False,
    ) -> pl.LazyFrame:
        """See `engine.source.Source.scan`."""
        frame = self.base.scan(table, columns, start=start, end=end, daily=daily)
        if not (beside := self.rows.get(table.lower())):
            return frame
        known = self._catalog.tables[table.lower()]
        rows = [row for row in _numbered(beside) if _inside(row[known.time or "time"], start, end)]
        return pl.concat([frame, self._frame(known, rows, columns)], how="vertical") if rows else frame

    def _frame(self, table: Table, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pl.LazyFrame:
        types = {column.name: polars_type(column.dtype) for column in table.stored()}
        links = [name for name in columns if name.removeprefix("@") in table.links]
        series = [
            pl.Series(
                name, [row.get(name) for row in rows], dtype=pl.String() if name in links else types[name], strict=False
            )
            for name in dict.fromkeys(columns)
        ]
        frame = pl.LazyFrame(series)
        for name in links:
            target = self._catalog.tables[table.links[name[1:]]]
            frame = frame.join(self._ids(target, name), on=name, how="left").drop(name).rename({f"{name} id": name})
        return frame.select(columns)

    def _ids(self, target: Table, name: str) -> pl.LazyFrame:
        """Key texts of an object table with their ids."""
        (key,) = target.key
        return self.base.scan(target.name, ["@id", key]).select(
            pl.col(key).alias(name), pl.col("@id").alias(f"{name} id")
        )


def _numbered(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "@row": FIRST_ROW + number} for number, row in enumerate(rows)]


def _inside(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or time >= start) and (end is None or time < end)
