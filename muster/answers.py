"""The answer to a query: its rows page by page, or all of them as a frame, a table or records.

In: a portal, a query. Out: Polars frames, Arrow tables, plain records. Invariants: all pages are of one answer, of the
instant at which it was asked; columns have their types (times in UTC to the microsecond, durations as durations, sizes
in bytes); who goes page by page has the first one and one more in memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import polars as pl
import pyarrow as pa

from muster.api import Api

ARROW = "application/vnd.apache.arrow.stream"
PAGE = 50_000  # rows
MOST_PAGE = 100_000


class Answer:
    """What a portal answered. Iterate over it for frames of a page each, at most 15 minutes from one to the next.

    `id` names the query; `truncated` says that there were more rows than an answer may have (5,000,000).
    """

    def __init__(self, api: Api, first: httpx.Response) -> None:
        self._api = api
        self.id = first.headers.get("Muster-Query", "")
        self.truncated = first.headers.get("Muster-Truncated") == "true"
        self._first = _frame(first)
        self._next: str | None = first.headers.get("Muster-Next")

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return self._first.columns

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Each page as a frame, the first at once. Raises MusterError."""
        yield self._first
        cursor = self._next
        while cursor is not None:
            page = self._api.following(cursor, ARROW)
            cursor = page.headers.get("Muster-Next")
            yield _frame(page)

    def polars(self) -> pl.DataFrame:
        """All rows. Raises MusterError."""
        if self._next is not None:
            self._first, self._next = pl.concat(list(self)), None
        return self._first

    def arrow(self) -> pa.Table:
        """All rows as an Arrow table. Raises MusterError."""
        return self.polars().to_arrow()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as a record by the names of columns, fetched as they are taken. Raises MusterError."""
        for frame in self:
            yield from frame.iter_rows(named=True)

    def item(self) -> Any:
        """The value of an answer that is one row of one column."""
        return self.polars().item()

    def __repr__(self) -> str:
        more = "" if self._next is None else ", more to fetch"
        return f"<muster.Answer {self._first.height} rows of {len(self.columns)} columns{more}>"


def _frame(page: httpx.Response) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(page.content))
