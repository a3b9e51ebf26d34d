"""The answer to a query: Arrow columns with their NQL types, what was really asked, and how fresh it is.

`table` holds one Arrow column an output, in the order of `columns`, in the types of `arrow_type`: date-times as
`timestamp[us, UTC]`, durations as `duration[us]`, addresses as people write them, maps as JSON text. `devices` is one
device uid a row where rows are about a device, so that rows can be selected and acted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from nql.datatypes import DataType, Kind
from nql.diagnostics import Diagnostic
from nql.plan.plan import Format
from nql.plan.windows import Absolute


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column: its header, a label for people, its NQL type, and how it wants to be shown."""

    name: str
    label: str
    dtype: DataType
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Rows with everything a reader needs to trust them. `truncated` says that more rows exist than were asked for."""

    table: pa.Table
    columns: tuple[ResultColumn, ...]
    complete_until: int
    now: int
    zone: str
    window: Absolute | None = None
    devices: pa.Array | None = None
    truncated: bool = False
    warnings: tuple[Diagnostic, ...] = ()


_ARROW = {
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.PERCENTAGE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATETIME: pa.timestamp("us", tz="UTC"),
    Kind.DURATION: pa.duration("us"),
    Kind.BYTES: pa.int64(),
    Kind.STRINGS: pa.list_(pa.string()),
}


def arrow_type(dtype: DataType) -> pa.DataType:
    """The Arrow type of a result column: text for all but numbers, times and arrays; averages of bytes `float64`."""
    if dtype.real and dtype.kind is not Kind.DURATION:
        return pa.float64()
    return _ARROW.get(dtype.kind, pa.string())
