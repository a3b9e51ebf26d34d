"""Every function of the language, as data.

`FUNCTIONS` is what people write: completion, documentation and the type rules read it. `MEASURES` and `SCALARS` are
what a plan speaks of (`Measure.function`, `Call.function`): few, plain, and with one meaning each. Every engine has a
builder for each of their names; a test demands equal key sets. Invariant: nothing about a function is said anywhere
else; whoever has a name asks `function_named`, which also knows the percentiles that `FUNCTIONS` does not list. How a
written function becomes measures and scalars is decided in `nql.semantics`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from nql.datatypes import DATETIME, FLOAT, INT, NUMERIC, STRING, TEXTUAL, DataType, Kind


class Result(Enum):
    """The type of a measure: a whole number, the operand's own, or its average (a float that keeps the unit)."""

    INT = "int"
    SAME = "same"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class MeasureFunction:
    """An aggregate of a plan. `empty` is what it gives over nothing: 0 for counts and totals, else null. `ordered`
    needs columns that order the rows, `ranked` a rank from 1 to 99, `weighable` may be given a weight of each row."""

    name: str
    result: Result
    doc: str
    operand: bool = True
    empty: int | None = None
    ordered: bool = False
    ranked: bool = False
    weighable: bool = False


@dataclass(frozen=True, slots=True)
class ScalarFunction:
    """A function of one value of a row; null gives null. `zoned` says that it reads the clock of a time zone."""

    name: str
    operand: Kind
    dtype: DataType
    doc: str
    zoned: bool = False


MEASURES: Mapping[str, MeasureFunction] = MappingProxyType(
    {
        item.name: item
        for item in (
            MeasureFunction("rows", Result.INT, "Number of rows.", operand=False, empty=0),
            MeasureFunction("count", Result.INT, "Number of values that are not null.", empty=0),
            MeasureFunction(
                "distinct",
                Result.INT,
                "Number of different values that are not null. Text counts once in any case.",
                empty=0,
            ),
            MeasureFunction("sum", Result.SAME, "Sum of the values; null if there is none, or beyond 64 bits."),
            MeasureFunction("real_sum", Result.AVERAGE, "Sum of the values as a float, which has no bound; for means."),
            MeasureFunction("total", Result.SAME, "Sum of the values; 0 if there is none, or no row at all.", empty=0),
            MeasureFunction(
                "sumif",
                Result.SAME,
                "Sum over the rows that `where` keeps; 0 if it keeps none, null if there is no row at all.",
            ),
            MeasureFunction("avg", Result.AVERAGE, "Mean of the values that are not null."),
            MeasureFunction("min", Result.SAME, "Smallest value."),
            MeasureFunction("max", Result.SAME, "Greatest value."),
            MeasureFunction(
                "last", Result.SAME, "The value that is not null of the row with the greatest `order`.", ordered=True
            ),
            MeasureFunction(
                "first", Result.SAME, "The value that is not null of the row with the smallest `order`.", ordered=True
            ),
            MeasureFunction(
                "percentile",
                Result.AVERAGE,
                "Nearest rank: the value at position ceil(rank * n / 100) of n in ascending order, each value there as "
                "many times as it weighs.",
                ranked=True,
                weighable=True,
            ),
            MeasureFunction(
                "median",
                Result.AVERAGE,
                "The value in the middle of the ascending order, or the mean of the two there.",
                weighable=True,
            ),
            MeasureFunction(
                "stddev", Result.AVERAGE, "Standard deviation of a sample (n - 1); null for fewer than two values."
            ),
        )
    }
)

SCALARS: Mapping[str, ScalarFunction] = MappingProxyType(
    {
        item.name: item
        for item in (
            ScalarFunction("hour", Kind.DATETIME, INT, "Hour of the day, 0 to 23.", zoned=True),
            ScalarFunction("day", Kind.DATETIME, INT, "Day of the month, 1 to 31.", zoned=True),
            ScalarFunction(
                "day_of_week", Kind.DATETIME, INT, "Day of the week, 1 is Monday and 7 is Sunday.", zoned=True
            ),
            ScalarFunction("whole_days", Kind.DURATION, INT, "Whole days in a duration, rounded down."),
            ScalarFunction("abs", Kind.FLOAT, FLOAT, "The number without its sign."),
            ScalarFunction("round", Kind.FLOAT, FLOAT, "The nearest multiple of a power of ten, half away from zero."),
            ScalarFunction("lower", Kind.STRING, STRING, "The text in lower case."),
            ScalarFunction("upper", Kind.STRING, STRING, "The text in upper case."),
        )
    }
)


class Role(Enum):
    """What a written function does: sums up rows, computes from one value, or says how to show a value."""

    AGGREGATE = "aggregate"
    SCALAR = "scalar"
    FORMAT = "format"


@dataclass(frozen=True, slots=True)
class Function:
    """A function as people write it. `operands` are the kinds it may follow (`x.f()`); `alone` allows it without one
    (`count()`); `named` lists its named arguments; `condition` says that it takes a condition; `clauses` allow it.
    `extension` is its name in `nql.extensions` if NQL lacks it."""

    name: str
    role: Role
    signature: str
    doc: str
    example: str
    operands: frozenset[Kind]
    alone: bool = False
    condition: bool = False
    named: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ("compute", "summarize")
    extension: str = ""


_VALUES = frozenset(Kind) - {Kind.NULL}
_TIMES = frozenset({Kind.DATETIME})
_PLAIN = _VALUES - {Kind.STRINGS, Kind.OBJECTS, Kind.MAP}
_RANKED = NUMERIC | {Kind.DATETIME}
_ROWS = ("where", "list", "sort")

_WRITTEN = (
    Function(
        "count", Role.AGGREGATE, "count() · field.count() · object.count()",
        "Number of rows; of different values of a field or different objects; of the values of a metric.",
        "devices | summarize n = count()", _VALUES, alone=True,
    ),
    Function(
        "countif", Role.AGGREGATE, "countif(condition) · object.countif(condition)",
        "Number of rows, or of different objects, for which a condition holds.",
        "devices | summarize n = countif(hardware.type == laptop)", frozenset(), alone=True, condition=True,
    ),
    Function(
        "sum", Role.AGGREGATE, "metric.sum()",
        "Sum of the values; null if there is none.",
        "execution.crashes during past 7d | summarize n = number_of_crashes.sum()", NUMERIC,
    ),
    Function(
        "sumif", Role.AGGREGATE, "metric.sumif(condition)",
        "Sum over the rows for which a condition holds; 0 if there are rows but none of them does.",
        'execution.crashes | summarize n = number_of_crashes.sumif(binary.name == "outlook*")', NUMERIC, condition=True,
    ),
    Function(
        "avg", Role.AGGREGATE, "metric.avg()",
        "Mean of the values; nulls are left out.",
        "devices | summarize m = hardware.memory.avg()", NUMERIC,
    ),
    Function(
        "min", Role.AGGREGATE, "metric.min()",
        "Smallest value.",
        "devices | summarize m = hardware.memory.min()", _RANKED,
    ),
    Function(
        "max", Role.AGGREGATE, "metric.max()",
        "Greatest value.",
        "devices | summarize m = hardware.memory.max()", _RANKED,
    ),
    Function(
        "last", Role.AGGREGATE, "field.last()",
        "Value of the latest row that has one.",
        "devices | include session.logins | compute t = time.last()", _VALUES,
    ),
    Function(
        "first", Role.AGGREGATE, "field.first()",
        "Value of the oldest row that has one.",
        "devices | include session.logins | compute t = time.first()", _VALUES, extension="first",
    ),
    Function(
        "p05", Role.AGGREGATE, "metric.p05()",
        "5th percentile, by nearest rank: a value that occurs. A sample counts with its mean, as often as it has "
        "values.",
        "session.logins | summarize t = time_until_desktop_is_ready.p05()", NUMERIC,
    ),
    Function(
        "p95", Role.AGGREGATE, "metric.p95()",
        "95th percentile, by nearest rank: a value that occurs. A sample counts with its mean, as often as it has "
        "values.",
        "session.logins | summarize t = time_until_desktop_is_ready.p95()", NUMERIC,
    ),
    Function(
        "p90", Role.AGGREGATE, "metric.p01() ... metric.p99()",
        "Any percentile, by nearest rank, as p05() and p95().",
        "session.logins | summarize t = time_until_desktop_is_ready.p90()", NUMERIC, extension="percentile",
    ),
    Function(
        "median", Role.AGGREGATE, "metric.median()",
        "Value in the middle; the mean of the two there if their number is even.",
        "session.logins | summarize t = time_until_desktop_is_ready.median()", _RANKED, extension="median",
    ),
    Function(
        "stddev", Role.AGGREGATE, "metric.stddev()",
        "Standard deviation of a sample (divided by n - 1); null for fewer than two values.",
        "session.logins | summarize t = time_until_desktop_is_ready.stddev()", NUMERIC, extension="stddev",
    ),
    Function(
        "time_elapsed", Role.SCALAR, "time.time_elapsed()",
        "Time from the value until now. The time selection does not bound it.",
        "devices | where last_seen.time_elapsed() > 2d", _TIMES, clauses=(*_ROWS, "compute", "summarize"),
    ),
    Function(
        "hour", Role.SCALAR, "time.hour(timezone = 'Europe/Zurich')",
        "Hour of the day, 0 to 23. Needs a time selection in hours or minutes.",
        "execution.crashes during past 24h | where time.hour() >= 11", _TIMES, named=("timezone",), clauses=_ROWS,
    ),
    Function(
        "day", Role.SCALAR, "time.day(timezone = 'Europe/Zurich')",
        "Day of the month, 1 to 31.",
        "execution.crashes during past 30d | where time.day() == 25", _TIMES, named=("timezone",), clauses=_ROWS,
    ),
    Function(
        "day_of_week", Role.SCALAR, "time.day_of_week(timezone = 'Europe/Zurich')",
        "Day of the week, 1 is Monday and 7 is Sunday.",
        "execution.crashes during past 30d | where time.day_of_week() < 6", _TIMES, named=("timezone",), clauses=_ROWS,
    ),
    Function(
        "if", Role.SCALAR, "if(condition, value, other)",
        "The first value where the condition holds, else the second.",
        'devices | list name, size = if(hardware.memory >= 16GB, "large", "small")',
        frozenset(), alone=True, clauses=_ROWS, extension="row_function",
    ),
    Function(
        "default", Role.SCALAR, "field.default(value)",
        "The value, or another one where there is none.",
        'devices | list name, entity.default("none")',
        _PLAIN, clauses=(*_ROWS, "compute", "summarize"), extension="row_function",
    ),
    Function(
        "round", Role.SCALAR, "number.round() · number.round(2)",
        "The nearest number with that many digits behind the point; a half goes away from zero.",
        "devices | summarize gb = (hardware.memory.avg() / 1GB).round(1)",
        NUMERIC, clauses=(*_ROWS, "compute", "summarize"), extension="row_function",
    ),
    Function(
        "abs", Role.SCALAR, "number.abs()",
        "The number without its sign.",
        "devices | list name, (hardware.memory - 8GB).abs()",
        NUMERIC, clauses=(*_ROWS, "compute", "summarize"), extension="row_function",
    ),
    Function(
        "lower", Role.SCALAR, "text.lower()",
        "The text in lower case.",
        "devices | list name.lower()", TEXTUAL, clauses=_ROWS, extension="row_function",
    ),
    Function(
        "upper", Role.SCALAR, "text.upper()",
        "The text in upper case.",
        "devices | list name.upper()", TEXTUAL, clauses=_ROWS, extension="row_function",
    ),
    Function(
        "as", Role.FORMAT, "metric.as(format = currency, code = usd)",
        "How to show a number; the value stays the same.",
        "devices | summarize c = count() * 2000 | list c.as(format = currency, code = usd)",
        NUMERIC, named=("format", "code"), clauses=("list", "sort"),
    ),
)  # fmt: skip

FUNCTIONS: Mapping[str, Function] = MappingProxyType({item.name: item for item in _WRITTEN})

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"energy": (), "weight": (), "currency": ("CAD", "CHF", "GBP", "EUR", "USD"), "percent": (), "bitrate": ()}
)


_PERCENTILE = re.compile(r"p(0[1-9]|[1-9][0-9])")


def function_named(name: str) -> Function | None:
    """The function of a written name; every percentile from `p01` to `p99` is one."""
    found = FUNCTIONS.get(name)
    if found is None and percentile_rank(name) is not None:
        return replace(FUNCTIONS["p90"], name=name)
    return found


def percentile_rank(name: str) -> int | None:
    """The rank that a percentile's name says, from 1 to 99; None if it is the name of no percentile."""
    found = _PERCENTILE.fullmatch(name)
    return int(found[1]) if found else None


def result_type(function: str, operand: DataType | None) -> DataType:
    """The type of a measure over an operand's type; INT where there is no operand."""
    rule = MEASURES[function].result
    if rule is Result.INT or operand is None:
        return INT
    return operand if rule is Result.SAME else average_type(operand)


def average_type(dtype: DataType) -> DataType:
    """The type of a mean: a float that keeps kind and unit where there is one."""
    if dtype.kind is Kind.INT:
        return DataType(Kind.FLOAT, dtype.unit)
    if dtype.kind in (Kind.DURATION, Kind.BYTES):
        return DataType(dtype.kind, dtype.unit, real=True)
    return DATETIME if dtype.kind is Kind.DATETIME else dtype
