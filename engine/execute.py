"""Runs a plan: translates it to Polars, collects it with the engine that fits, and hands back a `Result` in Arrow.

In: a resolved plan, a snapshot of the tables, and how many rows are wanted. Out: the rows in the types of
`engine.result`, whether there are more, and what was really asked. The engine is chosen by what is read: object tables
lie in memory, so a query over them, over few events or over those of few devices, runs in memory (a third of the
latency); one over many events streams, which bounds memory and is two to three times faster on large scans. Invariant:
it decides nothing about meaning; engine and optimizations change how long an answer takes, never the answer. It runs to
the end: whoever calls it bounds the time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from typing import Literal as Choice

import polars as pl
import pyarrow as pa

from engine.bounds import CALENDAR
from engine.lazyframe.relations import DEVICE, translated
from engine.result import Result, ResultColumn, arrow_type
from engine.source import Source, laid
from nql.datatypes import Kind, ip_shown
from nql.plan.plan import Output, ResolvedPlan
from nql.plan.relations import absolute, scans

Engine = Choice["in-memory", "streaming"]
FEW = 100_000  # rows with a time, below which starting to stream takes longer than the answer


def run(
    plan: ResolvedPlan,
    source: Source,
    *,
    limit: int | None = None,
    optimized: bool = True,
    engine: Engine | None = None,
) -> Result:
    """The answer to a plan over one snapshot, at most `limit` rows of it. Blocks; call it in a worker thread."""
    found = translated(plan, source)
    frame = found.frame
    if limit is not None:
        frame = frame.head(limit + 1)
    flags = pl.QueryOptFlags() if optimized else pl.QueryOptFlags.none()
    fit: Engine = "in-memory" if found.few else fitting(plan, source)
    rows = frame.collect(engine=engine or fit, optimizations=flags)
    return finish(plan, rows, source, limit=limit)


def finish(plan: ResolvedPlan, rows: pl.DataFrame, source: Source, *, limit: int | None = None) -> Result:
    """The result of a plan whose rows, in physical types and named as `translate` names them, are at hand."""
    truncated = limit is not None and rows.height > limit
    if limit is not None:
        rows = rows.head(limit)
    columns = result_columns(plan.outputs)
    return Result(
        table=_table(rows, columns),
        columns=columns,
        complete_until=source.complete_until,
        now=plan.now,
        zone=plan.zone,
        window=plan.window,
        devices=None if plan.device is None else _devices(rows),
        truncated=truncated,
    )


def fitting(plan: ResolvedPlan, source: Source | None = None) -> Engine:
    """The engine for a plan: in memory when only object tables are read or the source says that rows with a time are
    few, streaming else."""
    windows = [(scan.table, window) for scan in scans(plan.relation) if (window := absolute(scan)) is not None]
    if not windows:
        return "in-memory"
    if source is None or not laid(source):
        return "streaming"
    rows = sum(source.extent(table, start=window.start, end=window.end).rows for table, window in windows)
    return "in-memory" if rows < FEW else "streaming"


def result_columns(outputs: Sequence[Output]) -> tuple[ResultColumn, ...]:
    """The columns of a result, each header once: a repeated one gets `_2`, `_3`, ..."""
    taken = {output.header for output in outputs}
    seen: set[str] = set()
    columns = []
    for output in outputs:
        name, number = output.header, 1
        while name in seen or (number > 1 and name in taken):
            number += 1
            name = f"{output.header}_{number}"
        seen.add(name)
        columns.append(ResultColumn(name, output.label, output.dtype, output.format))
    return tuple(columns)


def _table(rows: pl.DataFrame, columns: Sequence[ResultColumn]) -> pa.Table:
    schema = pa.schema([(column.name, arrow_type(column.dtype)) for column in columns])
    if not columns:
        return schema.empty_table()
    shown = [_shown(rows.get_column(str(at)), column.dtype.kind) for at, column in enumerate(columns)]
    arrow = pl.DataFrame(shown).to_arrow(compat_level=pl.CompatLevel.oldest())
    return arrow.rename_columns(schema.names).cast(schema)


def _shown(values: pl.Series, kind: Kind) -> pl.Series:
    """Values in the form they leave the engine; times outside the calendar become null."""
    match kind:
        case Kind.DATETIME:
            return values.set(~values.is_between(*CALENDAR), None).cast(pl.Datetime("us", "UTC"))
        case Kind.DURATION:
            whole = values.round().cast(pl.Int64, strict=False) if values.dtype == pl.Float64 else values
            return whole.cast(pl.Duration("us"))
        case Kind.IP:
            distinct = values.drop_nulls().unique().to_list()
            return values.replace_strict({stored: ip_shown(stored) for stored in distinct}, return_dtype=pl.String)
        case Kind.MAP:
            return pl.Series(values.name, [_map_text(entries) for entries in values.to_list()], dtype=pl.String)
        case _:
            return values


def _map_text(entries: list[dict[str, Any]] | None) -> str | None:
    """A typed map as a JSON object, names as stored."""
    if entries is None:
        return None
    forms = ("real", "number", "text", "texts")
    plain = {item["name"]: next((item[form] for form in forms if item[form] is not None), None) for item in entries}
    return json.dumps(plain, ensure_ascii=False)


def _devices(rows: pl.DataFrame) -> pa.Array:
    uids = rows.get_column(DEVICE).to_arrow(compat_level=pl.CompatLevel.oldest())
    return uids.cast(pa.string())
