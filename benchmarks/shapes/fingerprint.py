"""Whether sides gave the same answer, whatever order and types their rows came in.

In: an answer in Arrow. Out: a short text that is the same for the same rows. Invariant: whole numbers, durations,
times and decimals of the same value agree; floats agree in their first ten digits; nothing else does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pyarrow as pa

_PRECISE = 1 << 53


def fingerprint(table: Any) -> str:
    """The fingerprint of a `pyarrow.Table`."""
    columns = [[_canonical(value) for value in _plain(column)] for column in table.columns]
    rows = sorted("\x1f".join(row) for row in zip(*columns, strict=True))
    return sha256("\n".join(rows).encode()).hexdigest()[:16]


def _plain(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
        column = column.cast(pa.int64())  # microseconds
    values: list[Any] = column.to_pylist()
    return values


def _canonical(value: object) -> str:
    match value:
        case None:
            return "\x00"
        case bool() | int():
            return str(int(value))
        case Decimal() if value == value.to_integral_value():
            return str(int(value))
        case float() if value.is_integer() and abs(value) < _PRECISE:
            return str(int(value))
        case float() | Decimal():
            return f"{float(value):.9e}"
        case datetime() | timedelta():
            raise TypeError("a time that is not in microseconds")
        case _:
            return str(value)
