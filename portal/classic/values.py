"""The values of an NXQL answer in their classic units and spellings.

In: a column as it is stored, and what NXQL calls it. Out: values for JSON; texts for all else, plain or for people.
Invariants: null stays null, and is `-` as a text; dates are those of a zone, without saying which; a number is the same
in every form that is not for people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from engine.result import ResultColumn
from nql.datatypes import Kind
from nql.nxql.api import NxqlColumn

NOTHING = "-"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = {
    "microsecond": 1, "millisecond": 1_000, "second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000,
    "day": 86_400_000_000,
}  # fmt: skip
WHOLE = frozenset({"integer", "byte", "microsecond", "millisecond", "day", "http_status_code", "permill"})
SIZES = ("B", "KB", "MB", "GB", "TB", "PB")
RATES = ("bps", "Kbps", "Mbps", "Gbps", "Tbps")
TIMES = ((86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"), (1, "us"))


def values(stored: pa.ChunkedArray, column: ResultColumn, classic: NxqlColumn, zone: str) -> list[Any]:
    """The values of a column as JSON has them."""
    match column.dtype.kind:
        case Kind.DATETIME:
            whole, place = stored.cast(pa.int64()).to_pylist(), ZoneInfo(zone)
            return [None if value is None else _date(value, place) for value in whole]
        case Kind.DURATION:
            unit = MICROSECONDS.get(classic.type, 1_000_000) * classic.factor
            return [_number(value, unit, classic) for value in stored.cast(pa.int64()).to_pylist()]
        case Kind.INT | Kind.FLOAT | Kind.PERCENTAGE | Kind.BYTES:
            return [_number(value, classic.factor, classic) for value in stored.to_pylist()]
        case _ if classic.words:
            return [classic.words.get(value, value) for value in stored.to_pylist()]
        case _:
            return list(stored.to_pylist())


def texts(found: Sequence[Any], classic: NxqlColumn, *, people: bool) -> list[str]:
    """Values as texts; for `people` in the unit that fits best."""
    shown = _SHOWN.get(classic.type, _text) if people else _text
    return [NOTHING if value is None else shown(value, classic.type) for value in found]


def _number(value: float | None, unit: float, classic: NxqlColumn) -> float | None:
    if value is None or not isfinite(value):
        return None
    found = value / unit if unit != 1 else value
    return round(found) if classic.type in WHOLE else found


def _date(micros: int, zone: ZoneInfo) -> str:
    try:
        moment = (EPOCH + timedelta(microseconds=micros)).astimezone(zone)
    except OverflowError:  # no zone reaches beyond the calendar
        moment = EPOCH + timedelta(microseconds=micros)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _text(value: Any, _type: str) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.15g}"
        case list():
            return ", ".join(NOTHING if item is None else str(item) for item in value)
        case _:
            return str(value)


def _scaled(units: tuple[str, ...], step: float) -> Callable[[Any, str], str]:
    def shown(value: Any, _type: str) -> str:
        left, at = float(value), 0
        while abs(left) >= step and at < len(units) - 1:
            left, at = left / step, at + 1
        return f"{_short(left)} {units[at]}"

    return shown


def _share(value: Any, kind: str) -> str:
    return f"{_short(float(value) * (100 if kind == 'percent' else 0.1))} %"


def _time(value: Any, kind: str) -> str:
    micros = float(value) * MICROSECONDS[kind]
    size, name = next((one for one in TIMES if abs(micros) >= one[0]), TIMES[-1])
    return f"{_short(micros / size)} {name}"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


_SHOWN: dict[str, Callable[[Any, str], str]] = {
    "byte": _scaled(SIZES, 1024),
    "bps": _scaled(RATES, 1000),
    "percent": _share,
    "permill": _share,
    **dict.fromkeys(MICROSECONDS, _time),
}
