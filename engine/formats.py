"""Forms in which a `Result` leaves the program: JSON for the console, the API and the command line, CSV, Arrow and
Parquet.

In: a `Result`. Out: plain JSON values, or bytes. Invariant: every surface uses these, so that one answer reads the
same everywhere: times are ISO 8601 in UTC with `Z`, durations are numbers in their column's unit, bytes are bytes,
null is null. Formats for people (`34min 20s`, `611.3 GB`, local time) belong to whoever shows a result.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from engine.bounds import CALENDAR
from engine.result import Result, ResultColumn
from nql.datatypes import MICROSECONDS, Kind
from nql.diagnostics import Diagnostic
from nql.plan.windows import Absolute

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may run when a cell starts with it
CSV_ROWS = 10_000
DAY = MICROSECONDS["d"]
NUMBERS = frozenset({Kind.INT, Kind.FLOAT, Kind.PERCENTAGE, Kind.BYTES, Kind.DURATION, Kind.BOOLEAN, Kind.DATETIME})


def to_json(
    result: Result,
    *,
    devices: Mapping[str, Mapping[str, Any]] | None = None,
    elapsed_ms: float | None = None,
) -> dict[str, Any]:
    """A result as JSON values. `devices` gives `name` and `simulated` for device uids; what it lacks is null."""
    known = devices or {}
    uids = None if result.devices is None else result.devices.to_pylist()
    return {
        "columns": [column_json(column) for column in result.columns],
        "rows": rows_json(result),
        "devices": None if uids is None else [uid and _device(uid, known.get(uid, {})) for uid in uids],
        "row_count": result.table.num_rows,
        "truncated": result.truncated,
        "window": None if result.window is None else window_json(result.window, result.zone),
        "complete_until": instant_text(result.complete_until),
        "now": instant_text(result.now),
        "zone": result.zone,
        "warnings": [diagnostic_json(warning) for warning in result.warnings],
        "elapsed_ms": elapsed_ms,
    }


def column_json(column: ResultColumn) -> dict[str, Any]:
    """A column's header, label, type, and how it wants to be shown."""
    return {
        "name": column.name,
        "label": column.label,
        "type": column.dtype.kind.value,
        "unit": _unit(column),
        "format": None if column.format is None else {"name": column.format.name, "code": column.format.code},
        "members": list(column.dtype.members),
    }


def rows_json(result: Result, *, zone: str | None = None) -> list[list[Any]]:
    """The rows as lists of JSON values; times on the clock of a zone, with its offset, where one is named."""
    columns = [_values(result.table.column(at), column, zone) for at, column in enumerate(result.columns)]
    return [list(row) for row in zip(*columns, strict=True)] if columns else []


def window_json(window: Absolute, zone: str) -> dict[str, Any]:
    """A window, and how it reads on the clock of a zone."""
    return {
        "start": instant_text(window.start),
        "end": instant_text(window.end),
        "precision": window.precision.value,
        "zone": window.zone,
        "text": f"{_local(window.start, zone)} to {_local(window.end, zone)} ({zone})",
    }


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A finding about the text, with its fixes."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "span": {"start": diagnostic.span.start, "end": diagnostic.span.end},
        "fixes": [
            {
                "title": fix.title,
                "span": {"start": fix.span.start, "end": fix.span.end},
                "replacement": fix.replacement,
            }
            for fix in diagnostic.fixes
        ],
    }


def instant_text(micros: int) -> str:
    """An instant as ISO 8601 in UTC, without a fraction if it has none: `2024-11-11T10:26:15Z`."""
    text = _moment(micros).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def to_csv(result: Result, *, guarded: bool = True, zone: str | None = None) -> Iterator[bytes]:
    """A result as CSV (RFC 4180, UTF-8, CRLF), in pieces. Null is an empty cell, an array is JSON text.

    `guarded` puts an apostrophe before text that a spreadsheet would run as a formula; turn it off for programs. Times
    are on the clock of a zone, with its offset, where one is named.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    guard = _guarded if guarded else str
    writer.writerow([guard(column.name) for column in result.columns])
    for start in range(0, result.table.num_rows, CSV_ROWS):
        piece = result.table.slice(start, CSV_ROWS)
        columns = [_cells(piece.column(at), column, guard, zone) for at, column in enumerate(result.columns)]
        writer.writerows(zip(*columns, strict=True))
        yield _drained(buffer)
    if result.table.num_rows == 0:
        yield _drained(buffer)


def to_arrow(result: Result) -> bytes:
    """A result as an Arrow IPC stream; fields carry `nql.type`, `nql.unit` and `nql.label`."""
    sink = io.BytesIO()
    table = _described(result)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def to_parquet(result: Result) -> bytes:
    """A result as a Parquet file with the same field descriptions."""
    sink = io.BytesIO()
    pq.write_table(_described(result), sink, compression="zstd")
    return sink.getvalue()


def _described(result: Result) -> pa.Table:
    fields = []
    for field, column in zip(result.table.schema, result.columns, strict=True):
        facts = {"nql.type": column.dtype.kind.value, "nql.unit": _unit(column) or "", "nql.label": column.label}
        fields.append(field.with_metadata(facts))
    return result.table.cast(pa.schema(fields))


def _unit(column: ResultColumn) -> str | None:
    defaults = {Kind.DURATION: "s", Kind.BYTES: "B", Kind.PERCENTAGE: "%"}
    return column.dtype.unit or defaults.get(column.dtype.kind)


def _values(values: pa.ChunkedArray, column: ResultColumn, zone: str | None = None) -> list[Any]:
    """A column as JSON values."""
    match column.dtype.kind:
        case Kind.DATETIME:
            return _times(values) if zone is None or zone == "UTC" else _local_times(values, ZoneInfo(zone))
        case Kind.DURATION:
            size = MICROSECONDS.get(column.dtype.unit or "s", MICROSECONDS["s"])
            whole = values.cast(pa.int64()).to_pylist()
            return [None if value is None else _short(value, size) for value in whole]
        case _:
            return list(values.to_pylist())


def _times(values: pa.ChunkedArray) -> list[str | None]:
    texts = pc.strftime(values.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
    texts = pc.replace_substring_regex(texts, pattern=r"\.0+$", replacement="")
    texts = pc.replace_substring_regex(texts, pattern=r"(\.\d*[1-9])0+$", replacement=r"\1")
    return [None if text is None else f"{text}Z" for text in texts.to_pylist()]


def _local_times(values: pa.ChunkedArray, zone: ZoneInfo) -> list[str | None]:
    whole = values.cast(pa.int64()).to_pylist()
    return [None if value is None else _inside(value).astimezone(zone).isoformat() for value in whole]


def _short(value: int, size: int) -> int | float:
    return value // size if value % size == 0 else value / size


def _cells(values: pa.ChunkedArray, column: ResultColumn, guard: Any, zone: str | None) -> list[Any]:
    plain = _values(values, column, zone)
    match column.dtype.kind:
        case Kind.BOOLEAN:
            return ["" if value is None else str(value).lower() for value in plain]
        case Kind.STRINGS:
            return ["" if value is None else guard(json.dumps(value, ensure_ascii=False)) for value in plain]
        case kind if kind in NUMBERS:
            return plain
        case _:
            return ["" if value is None else guard(value) for value in plain]


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _drained(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return data


def _device(uid: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": uid, "name": facts.get("name"), "simulated": facts.get("simulated")}


def _moment(micros: int) -> datetime:
    """An instant, held back at the ends of the calendar."""
    first, last = CALENDAR
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=min(max(micros, first), last))


def _local(micros: int, zone: str) -> str:
    return _inside(micros).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def _inside(micros: int) -> datetime:
    """An instant, held back a day from the ends of the calendar, so that no zone leaves it."""
    return _moment(min(max(micros, CALENDAR[0] + DAY), CALENDAR[1] - DAY))
