"""What there is to say about tables, fields, functions, times and values, in one line and a few sentences.

In: an entry of the catalog or the function table, or a literal. Out: a detail and a documentation. Invariant:
everything is read from those tables; a field that is a guess or an addition of ours always says so.
"""

from __future__ import annotations

from nql.catalog.model import Table, TableKind
from nql.datatypes import BYTES, MICROSECONDS, DataType
from nql.diagnostics import NOWHERE
from nql.editing.offers import OURS, field_type
from nql.editing.times import date_words, in_window, length
from nql.functions import Function
from nql.plan.windows import Moment, Precision
from nql.semantics.literals import is_pattern
from nql.semantics.names import Ambiguous, FieldRef, ObjectRef
from nql.semantics.problems import Problems, Reported
from nql.semantics.times import reads_daily, window_of
from nql.syntax import ast
from nql.syntax.literals import date, number

MOST_MEMBERS = 20
_KINDS = {
    TableKind.OBJECT: "table of objects",
    TableKind.PUNCTUAL: "table of events",
    TableKind.SAMPLED: "table of samples",
}
_PARTS = {
    "avg": "The mean of one sample.", "sum": "The total of one sample.", "count": "How many values one sample has.",
    "min": "The smallest value of one sample.", "max": "The largest value of one sample.",
}  # fmt: skip
_SIZES = {name.lower(): size for name, size in BYTES.items()}
_DURATIONS = {**MICROSECONDS, "m": MICROSECONDS["min"]}
_STEPS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000))
_DAYS = "Whole calendar days, cut at midnight in the time zone of the instance."
_CLOCK = "Cut by the clock of your own time zone; samples are read as they are stored."


def table(entry: Table) -> tuple[str, str]:
    """Its kind; what it holds, what it is linked to, how long and how finely it is kept."""
    said = [entry.doc]
    if entry.shortcut is not None:
        said.append(f"Short: {entry.shortcut}.")
    if entry.links:
        said.append(f"Linked to {', '.join(entry.links)}.")
    if entry.resolution:
        said.append(f"Samples of {', '.join(entry.resolution)}.")
    if entry.retention_days is not None:
        said.append(f"Kept {entry.retention_days} days.")
    return _KINDS[entry.kind], " ".join(said)


def linked(entry: Table) -> str:
    """An object that rows are linked to."""
    fields = ", ".join(entry.default[:5])
    return f"{entry.doc} Fields: {fields} and {max(0, len(entry.fields) - 5)} more." if fields else entry.doc


def field(found: FieldRef | ObjectRef | Ambiguous | None) -> tuple[str, str, str] | None:
    """Its path; its type with unit; its doc, values, table, and whether it is documented."""
    if not isinstance(found, FieldRef):
        return None
    item = found.field
    said = [item.doc]
    if found.component is not None:
        said.append(_PARTS[found.component])
    elif found.sampled_gauge:
        said.append("Each sample holds several values: .avg, .sum, .count, .min and .max; avg() and the like take all.")
    if item.dtype.members:
        said.append(_members(item.dtype))
    said.append(f"A field of {found.table.name}.")
    if item.guess:
        said.append("Not documented by Nexthink: this field is our guess.")
    if item.ours:
        said.append(OURS)
    unit = item.dtype.unit if found.component != "count" else None
    detail = field_type(found) + (f" in {unit}" if unit else "")
    return found.path, detail, " ".join(part for part in said if part)


def _members(dtype: DataType) -> str:
    shown = ", ".join(dtype.members[:MOST_MEMBERS])
    more = f" and {len(dtype.members) - MOST_MEMBERS} more" if len(dtype.members) > MOST_MEMBERS else ""
    return f"{'Values' if dtype.closed else 'Known values'}: {shown}{more}."


def function(entry: Function) -> str:
    """What it gives, with an example."""
    ours = f" {OURS}" if entry.extension else ""
    return f"{entry.doc}{ours} Example: {entry.example}"


def selection(ref: ast.TableRef, entry: Table) -> tuple[str, str] | None:
    """The precision of a time selection; what it selects and how it is cut."""
    try:
        window = window_of(Problems(), ref, entry)
    except Reported:
        return None
    if window is None:
        return None
    days = window.precision is Precision.DAY
    daily = " One sample a day is read." if reads_daily(entry, window) else ""
    said = in_window(window, None).partition(" (")[0]
    what = f"{entry.record.replace('_', ' ').capitalize()}s active" if entry.kind is TableKind.OBJECT else "Rows"
    return ("whole days" if days else "by the clock"), f"{what} {said}. {_DAYS if days else _CLOCK}{daily}"


def value(kind: str, text: str) -> tuple[str, str] | None:
    """The type of a literal and what it means; None for what is no literal."""
    match kind:
        case "NUMBER":
            return _quantity(number(text, NOWHERE))
        case "TEXT":
            any_case = "Compared in any case."
            wild = " * stands for any characters, ? for one." if is_pattern(text) else ""
            return "text", f"{any_case}{wild}"
        case "DATE":
            return "date", _date(text)
        case "VERSION":
            return "version", "Compared number by number: v10 is after v9."
        case "ADDRESS":
            return ("network", "All addresses of the network.") if "/" in text else ("address", "One address.")
        case "PARAMETER":
            return "parameter", "Gets its value when the query is run."
        case _:
            return None


def _date(text: str) -> str:
    found = date(text, NOWHERE)
    if not 1 <= found.month <= 12:
        return "There is no such day."
    moment = Moment(found.year, found.month, found.day, found.hour, found.minute, found.second, found.zone)
    return f"{date_words(moment)}{', the whole day' if found.hour is None else ''}."


def _quantity(found: ast.Number) -> tuple[str, str]:
    if found.unit in _SIZES:
        return "size", f"{round(found.value * _SIZES[found.unit]):,} bytes."
    if found.unit in _DURATIONS:
        return "duration", f"{_duration(round(found.value * _DURATIONS[found.unit]))}."
    return "number", ""


def _duration(microseconds: int) -> str:
    """A length of time in its largest units."""
    parts = []
    for unit, size in _STEPS:
        count, microseconds = divmod(microseconds, size)
        if count:
            parts.append(length(count, unit))
    return " ".join(parts) or "no time"
