"""Runs a plan on DuckDB, the second opinion on every answer.

In: a resolved plan and a source. Out: its rows in physical types, named as the Polars translation names them.
Invariant: it shares the plan and the stored rows with the other engine, and nothing else.
"""

from __future__ import annotations

from functools import cache

import duckdb
import polars as pl

from engine.lazyframe.dtypes import polars_type
from engine.source import Source
from engine.sql.relations import translate
from nql.plan.plan import ResolvedPlan


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """An empty database. Opening one, or waking its threads, takes longer than any query here."""
    return duckdb.connect(config={"threads": 1})


def duck_rows(plan: ResolvedPlan, source: Source) -> pl.DataFrame:
    """The rows that DuckDB gives for a plan."""
    translation, connection = translate(plan), _connection()
    try:
        for view in translation.views:
            rows = source.scan(view.table, view.columns, start=view.start, end=view.end, daily=view.daily).collect()
            connection.register(view.name, rows.to_arrow())
        answer = connection.sql(translation.query.sql(dialect="duckdb", copy=False)).to_arrow_table()
    finally:
        for view in translation.views:
            connection.unregister(view.name)
    frame = pl.DataFrame(pl.from_arrow(answer))
    types = {str(at): polars_type(output.dtype) for at, output in enumerate(plan.outputs)}
    return frame.cast(types)  # type: ignore[arg-type]
