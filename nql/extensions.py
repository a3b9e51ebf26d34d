"""Everything the language has beyond NQL, as data. `strict=nexthink` turns all of it off.

The reference, hover and the strict errors read this table. Invariant: a query without any of these means the same
with and without them; whoever accepts one says so by `State.extension`; those that
show in the words alone are found by `nql.syntax.beyond`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Extension:
    """One thing NQL lacks: what it is called, what it does, a query that shows it, and how NQL itself says it."""

    name: str
    title: str
    doc: str
    example: str
    instead: str = ""


_D = "devices | "
_C = "execution.crashes during past 7d | "

_TABLE = (
    Extension(
        "between", "between", "Both ends belong to it.",
        _D + "where hardware.memory between 8GB and 16GB", "Write x >= 8GB and x <= 16GB.",
    ),
    Extension(
        "comment", "A comment to the end of the line", "`//` hides the rest of its line.",
        "devices // all of them\n| list name", "Write /* ... */.",
    ),
    Extension(
        "compute_after_summarize", "compute after summarize",
        "Values of each row of the summary, from its columns; several, one after the other.",
        _D + "summarize n = count(), m = hardware.memory.sum() by entity | compute each = m / n",
        "Write the expression in summarize.",
    ),
    Extension(
        "compute_row", "compute without with or include",
        "A value of each row, from its fields. It has a name in all clauses that follow.",
        _D + "compute gb = hardware.memory / 1GB | where gb > 8", "Values of rows have no name in NQL.",
    ),
    Extension(
        "distinct", "list distinct", "Each combination of the columns once.",
        _D + "list distinct entity, hardware.type", "Write summarize n = count() by entity, hardware.type.",
    ),
    Extension(
        "fill", "fill", "Empty periods get a row too: counts are 0 and all else is null.",
        _C + "summarize n = count() by 1d fill", "Empty periods have no row in NQL.",
    ),
    Extension(
        "first", "first()", "The value of the oldest row that has one, as last() gives that of the latest.",
        "devices | include session.logins | compute t = time.first()", "NQL knows only last().",
    ),
    Extension(
        "iso_time", "A time as ISO 8601 writes it", "`T` between day and time, `Z` or an offset behind it.",
        "execution.crashes from 2026-11-24T08:00:00Z to 2026-11-25T12:00:00+01:00", "Write 2026-11-24 08:00:00.",
    ),
    Extension(
        "is_null", "is null", "The null test in the words of SQL.",
        _D + "where entity is not null", "Write = null or != null.",
    ),
    Extension(
        "latest", "latest by", "Keeps the newest row of each object, or of each value of a field.",
        "session.logins during past 7d | latest by device | list device.name, time",
        "Write include and last() over the objects.",
    ),
    Extension(
        "let", "A name for an expression", "`let` lines before the query name what is used several times.",
        "let big = 8GB;\ndevices | where hardware.memory > big", "Write the expression where it is used.",
    ),
    Extension(
        "like", "like", "Another word for == beside a text with wildcards.",
        _D + 'where name like "zrh-*"', 'Write == "zrh-*".',
    ),
    Extension(
        "list_name", "A name for a column of list", "A column gets a name of its own, and may be computed.",
        _D + "list name, gb = hardware.memory / 1GB", "Columns of list have no names in NQL.",
    ),
    Extension(
        "matches", "matches", "A regular expression, found anywhere in the text, in any case.",
        _D + 'where name matches "^zrh-[a-z]+-00[0-9]+$"', "Write == with wildcards.",
    ),
    Extension(
        "median", "median()", "The value in the middle, or the mean of the two there.",
        "session.logins | summarize t = time_until_desktop_is_ready.median()", "NQL knows only p05() and p95().",
    ),
    Extension(
        "not", "not", "The opposite of a condition: it holds where the condition does not.",
        _D + 'where not (entity == "Boston" and hardware.type == laptop)', "Write !=, !in or !contains.",
    ),
    Extension(
        "offset", "offset", "Leaves out the first rows.",
        _D + "sort name | limit 10 offset 20", "NQL knows only limit.",
    ),
    Extension(
        "parameter", "A parameter outside where",
        "A parameter may be a value of any clause, a number of rows, or a length of time.",
        _D + "sort name | limit $n", "In NQL parameters are values of where.",
    ),
    Extension(
        "percentile", "Percentiles from p01() to p99()", "By nearest rank, as p05() and p95() of NQL.",
        "session.logins | summarize t = time_until_desktop_is_ready.p90()", "NQL knows only p05() and p95().",
    ),
    Extension(
        "period", "A week or a month as a period", "Weeks start on Monday, months on their first day.",
        "execution.crashes during past 90d | summarize n = count() by 1w", "Write 7d or 30d.",
    ),
    Extension(
        "row_arithmetic", "Arithmetic over one row", "Arithmetic in where, list and sort.",
        _D + "where hardware.memory / 2 > 4GB", "Arithmetic stands in compute and summarize in NQL.",
    ),
    Extension(
        "row_function", "A function of one row", "if, round, abs, lower, upper, default.",
        _D + 'list site = if(entity == "Boston", "east", "other"), name.lower()', "NQL has no such function.",
    ),
    Extension(
        "second_summarize", "A second summarize", "Sums up the groups of the summary before it.",
        _C + "summarize n = count() by device.name | summarize mean = n.avg()", "NQL has one summarize.",
    ),
    Extension(
        "shift", "shift", "Moves a time selection back, to compare with an earlier time.",
        "devices | include execution.crashes during past 7d shift 7d | compute before = count()",
        "Write the earlier time with from and to.",
    ),
    Extension(
        "starts_with", "starts with, ends with", "Texts by their beginning or end.",
        _D + 'where name starts with "zrh"', 'Write == "zrh*".',
    ),
    Extension(
        "stddev", "stddev()", "The standard deviation of a sample, divided by n - 1.",
        "session.logins | summarize t = time_until_desktop_is_ready.stddev()", "NQL has no such function.",
    ),
    Extension(
        "trailing_comma", "A comma at the end", "The last item of a list may have a comma behind it.",
        _D + "list name, entity,", "Leave the last comma out.",
    ),
)  # fmt: skip

EXTENSIONS: Mapping[str, Extension] = MappingProxyType({item.name: item for item in _TABLE})
