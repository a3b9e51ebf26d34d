"""States: what is kept of many rows so that a measure over them, and over more, can be answered without them.

In: rows of one table and UTC day. Out: for each device and span of the day that lies in one day of the instance zone,
and for each quarter of an hour, how many rows there are (`@rows`) and of each numeric column the states that make
sense for it, `<column>:<state>`. Invariant: states of disjoint rows put together (sums and counts added, the least of
the minima, the greatest of the maxima) are the states of all of them, to the bit for whole numbers; a column whose sum
leaves 64 bits has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl

from nql.catalog.model import StoredColumn, TableKind
from nql.datatypes import Kind, Physical
from storage.tables.days import DAY, day_start, local_date
from storage.tables.schema import POLARS, TableSchema

ROWS, FROM, QUARTER = "@rows", "@from", "@quarter"
QUARTER_LENGTH = 900_000_000  # microseconds
_MOST = (1 << 63) - 1
_ALL = ("sum", "count", "min", "max")
_OF_METRIC = {"sum": _ALL[:2], "count": _ALL[:2], "min": ("count", "min"), "max": ("count", "max")}


def states_of(schema: TableSchema) -> Mapping[str, tuple[str, ...]]:
    """The columns of a table that have states, with these."""
    return {column.name: _states(schema, column) for column in schema.stored.values() if _is_number(column)}


def state_type(schema: TableSchema, column: str, state: str) -> pl.DataType:
    """The type of a state: counts are whole, the others as the column."""
    return pl.Int64() if state == "count" else POLARS[schema.columns[column]]


def spans(day: int, zone: ZoneInfo) -> tuple[tuple[int, int], ...]:
    """A UTC day cut where days of the zone begin: `[start, end)` in microseconds."""
    start, end = day * DAY, (day + 1) * DAY
    first = local_date(start, zone)
    starts = {day_start(first + timedelta(days=later), zone) for later in range(3)}
    cuts = [start, *sorted(cut for cut in starts if start < cut < end), end]
    return tuple(pairwise(cuts))


def by_device(
    frame: pl.DataFrame, schema: TableSchema, day: int, zone: ZoneInfo
) -> tuple[pl.DataFrame, frozenset[str]]:
    """One row a device and span, `@from` its start; and the columns it lacks. Rows come sorted by `@device`."""
    cut = spans(day, zone)
    found: list[pl.DataFrame] = []
    lacks: set[str] = set()
    for start, end in cut:
        inside = pl.col(schema.time).is_between(start, end, closed="left")
        rows = frame.filter(inside) if len(cut) > 1 else frame
        states = _grouped(rows.with_columns(pl.col("@device").set_sorted()), schema, "@device", lacks)
        found.append(states.with_columns(pl.lit(start, dtype=pl.Int64()).alias(FROM)))
    return _without(pl.concat(found).sort("@device", FROM), lacks), frozenset(lacks)


def by_quarter(frame: pl.DataFrame, schema: TableSchema) -> tuple[pl.DataFrame, frozenset[str]]:
    """One row a quarter of an hour; and the columns it lacks."""
    quarter = (pl.col(schema.time) // QUARTER_LENGTH * QUARTER_LENGTH).alias(QUARTER)
    lacks: set[str] = set()
    states = _grouped(frame.with_columns(quarter), schema, QUARTER, lacks)
    return _without(states.sort(QUARTER), lacks), frozenset(lacks)


def _grouped(frame: pl.DataFrame, schema: TableSchema, key: str, lacks: set[str]) -> pl.DataFrame:
    """The states by a key; columns of which they are wrong are added to `lacks`."""
    wanted = {name: kinds for name, kinds in states_of(schema).items() if name in frame.columns}
    exprs = [getattr(pl.col(name), kind)().alias(f"{name}:{kind}") for name, kinds in wanted.items() for kind in kinds]
    exprs = [expr.cast(pl.Int64) if expr.meta.output_name().endswith(":count") else expr for expr in exprs]
    states = frame.lazy().group_by(key).agg(pl.len().cast(pl.Int64).alias(ROWS), *exprs).collect(engine="in-memory")
    lacks.update(_overflowing(frame, wanted, key, states[ROWS].max() or 0))
    return states


def _without(states: pl.DataFrame, lacks: set[str]) -> pl.DataFrame:
    return states.select([name for name in states.columns if name.rpartition(":")[0] not in lacks])


def _overflowing(
    frame: pl.DataFrame, wanted: Mapping[str, Sequence[str]], key: str, most_rows: object
) -> Iterator[str]:
    """Columns of whole numbers of which some group's sum leaves 64 bits."""
    assert isinstance(most_rows, int)
    for name, kinds in wanted.items():
        if "sum" not in kinds or frame.schema[name] != pl.Int64():
            continue
        bounds = [abs(value) for value in (frame[name].min(), frame[name].max()) if isinstance(value, int)]
        if max(bounds, default=0) * most_rows <= _MOST:
            continue
        exact = frame.group_by(key).agg(pl.col(name).cast(pl.Int128).sum().abs().alias("sum"))
        if exact.filter(pl.col("sum") > _MOST).height:
            yield name


def _states(schema: TableSchema, column: StoredColumn) -> tuple[str, ...]:
    sampled = schema.table.kind is TableKind.SAMPLED
    return _OF_METRIC[column.metric] if sampled and column.metric else _ALL


def _is_number(column: StoredColumn) -> bool:
    numeric = column.dtype.physical in (Physical.INT64, Physical.FLOAT64)
    return numeric and not column.name.startswith("@") and column.dtype.kind is not Kind.DATETIME
