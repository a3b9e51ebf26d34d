"""Time selections and periods: from what was written to windows of the plan, still symbolic.

In: the selection after a table. Out: a `Window`, whether daily samples are read, and diagnostics for what time cannot
do there. Invariant: precision is known from the writing alone. When now is, and in which zone, is asked only by
`nql.semantics.resolve`.
"""

from __future__ import annotations

from dataclasses import replace

from nql.catalog.model import Table, TableKind
from nql.datatypes import DURATION
from nql.diagnostics import Span
from nql.plan.plan import ParameterUse
from nql.plan.windows import (
    Ago,
    Between,
    Given,
    Moment,
    OnDay,
    Past,
    Period,
    Point,
    Precision,
    Retention,
    Shifted,
    Weeks,
    Window,
    length_given,
)
from nql.semantics.literals import moment, unit_of
from nql.semantics.problems import Problems, Reported, replacements
from nql.semantics.scope import Rows, State
from nql.syntax import ast

Selected = Past | Given | Between | OnDay | Retention | Shifted

LONGEST_DAYS = 4000
DEFAULT_RETENTION = 30
_PER_DAY = {"min": 1440, "h": 24, "d": 1}
_LONG_PERIODS = {
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("month", "months", "mon"), "month"),
}


def window_of(problems: Problems, ref: ast.TableRef, table: Table) -> Window | None:
    """The window of a table: as selected, or everything kept for events without a selection, or None for objects."""
    if ref.resolution is not None:
        _check_resolution(problems, ref.resolution, table)
    if ref.selection is None:
        if ref.shift is not None:
            hint = "Write past 7d shift 7d."
            raise problems.error("NQL403", "shift moves a time selection, and there is none.", ref.shift.span, hint)
        return (
            _weekly(table, Retention(table.retention_days or DEFAULT_RETENTION))
            if table.time and _events(table)
            else None
        )
    said = _selected(problems, ref.selection)
    window = said if ref.shift is None else Shifted(said, *_back(problems, ref.shift))
    return _weekly(table, window) if _events(table) else window


def reads_daily(table: Table, window: Window | None) -> bool | None:
    """Whether a day-precise window reads one row a day: only where a table keeps finer samples. None where that is
    known with the window's length alone."""
    if table.kind is not TableKind.SAMPLED or not any("min" in step or "30s" in step for step in table.resolution):
        return False
    return None if length_given(window) is not None else window is not None and window.precision is Precision.DAY


def given_length(state: State, ref: ast.TableRef) -> None:
    """Notes the parameter that is the length of a time selection, if there is one. Raises Reported."""
    if not isinstance(ref.selection, ast.Past) or not isinstance(ref.selection.length, ast.Parameter):
        return
    node = ref.selection.length
    if state.rules.strict:
        raise state.problems.error("NQL407", f"${node.name} cannot stand here.", node.span, "Write past 7d.")
    use = ParameterUse(node.name, DURATION, length=True)
    if not state.parameters.setdefault(node.name, use).length:
        message = f"${node.name} is a length of time here and a value elsewhere."
        raise state.problems.error("NQL307", message, node.span, "Use two parameters.")


def needs_clock(state: State, rows: Rows) -> None:
    """Notes that a length still to come may not be in days, since a part of a day is asked of the rows."""
    given = length_given(rows.window)
    use = state.parameters.get(given.name) if given is not None else None
    if use is not None:  # else it was refused
        state.parameters[use.name] = replace(use, clock=True)


def period_of(state: State, node: ast.Number, rows: Rows, *, fill: bool) -> Period:
    """The period of `by`. Raises Reported if it does not fit the language or the rows' precision."""
    problems = state.problems
    long = _LONG_PERIODS.get(node.unit)
    if long is not None and isinstance(node.value, int) and node.value >= 1:
        state.extension("period", node.span)
        _bounded(problems, node.value * (7 if long == "w" else 30), "d", node.span)
        return Period(node.value, long, fill)
    unit = unit_of(problems, node)
    unit = "min" if unit == "m" else unit
    if unit not in _PER_DAY or not isinstance(node.value, int) or node.value < 1:
        hint = "Periods are whole minutes (a multiple of 15), hours, days, weeks or months: 15min, 1h, 1d, 1w, 1month."
        raise problems.error("NQL405", "This is not a period.", node.span, hint)
    if unit == "min" and node.value % 15:
        nearest = max(15, round(node.value / 15) * 15)
        fixes = replacements(node.span, [f"{nearest}min"])
        raise problems.error("NQL405", "A period in minutes is a multiple of 15.", node.span, fixes=fixes)
    _bounded(problems, node.value, unit, node.span)
    if rows.daily and unit != "d":
        message = "A selection in days reads one sample a day; the period cannot be finer."
        hint = "Write the time selection in hours, such as past 168h."
        raise problems.error("NQL406", message, node.span, hint)
    if rows.daily is None and unit != "d":
        needs_clock(state, rows)
    return Period(node.value, unit, fill)


def _selected(problems: Problems, selection: ast.Selection) -> Past | Given | Between | OnDay:
    match selection:
        case ast.Past(length):
            if isinstance(length, ast.Parameter):
                return Given(length.name)
            return Past(*_length(problems, length))
        case ast.OnDay(day):
            when = moment(problems, day)
            if when.precision is Precision.CLOCK:
                hint = "For part of a day write from 2024-11-08 13:00 to 2024-11-08 14:00."
                raise problems.error("NQL403", "on takes a day without a time.", day.span, hint)
            return OnDay(when)
        case ast.Between(start, end):
            first, last = _point(problems, start), _point(problems, end)
            if _later(first, last):
                raise problems.error("NQL402", "The selection ends before it starts.", selection.span, "Swap the two.")
            return Between(first, last)


def _point(problems: Problems, node: ast.Date | ast.Ago) -> Point:
    return moment(problems, node) if isinstance(node, ast.Date) else Ago(*_length(problems, node.length, least=0))


def _back(problems: Problems, node: ast.Number) -> tuple[int, str]:
    """How far `shift` goes back: a length of time, weeks too. Raises Reported."""
    if _LONG_PERIODS.get(node.unit) != "w" or not isinstance(node.value, int):
        return _length(problems, node)
    if node.value < 1:
        raise problems.error("NQL403", "Nothing is moved back.", node.span, "Write at least 1.")
    _bounded(problems, 7 * node.value, "d", node.span)
    return 7 * node.value, "d"


def _length(problems: Problems, node: ast.Number, *, least: int = 1) -> tuple[int, str]:
    """Count and unit of a length of time. Raises Reported."""
    unit = unit_of(problems, node)
    unit = "min" if unit == "m" else unit
    if unit not in _PER_DAY or not isinstance(node.value, int):
        hint = "Time selections are in whole minutes, hours or days: 30min, 24h, 7d."
        days = replacements(node.span, [f"{node.value}d"]) if not unit and isinstance(node.value, int) else ()
        raise problems.error("NQL403", "This is not a length of time.", node.span, hint, days)
    if node.value < least:
        raise problems.error("NQL403", "The selection is empty.", node.span, "Write at least 1.")
    _bounded(problems, node.value, unit, node.span)
    return node.value, unit


def _bounded(problems: Problems, count: int, unit: str, span: Span) -> None:
    if count > LONGEST_DAYS * _PER_DAY[unit]:
        raise problems.error("NQL505", f"At most {LONGEST_DAYS} days can be selected.", span)


def _later(start: Point, end: Point) -> bool:
    """Whether a selection certainly ends before it starts, whatever the time is now."""
    match start, end:
        case Ago(a, one), Ago(b, two) if (one == "d") == (two == "d"):
            return a * 1440 // _PER_DAY[one] < b * 1440 // _PER_DAY[two]
        case Moment(year=int()), Moment(year=int()):
            return _stamp(start, last=False) > _stamp(end, last=True)
        case _:
            return False


def _stamp(point: Moment, *, last: bool) -> tuple[int, ...]:
    clock = (24, 0, 0) if point.hour is None and last else (point.hour or 0, point.minute, point.second)
    return (point.year or 0, point.month, point.day, *clock)


def _events(table: Table) -> bool:
    return table.kind is not TableKind.OBJECT


def _weekly(table: Table, window: Selected) -> Window:
    return Weeks(window) if any("Monday" in step for step in table.resolution) else window


def _check_resolution(problems: Problems, node: ast.Number, table: Table) -> None:
    if node.unit != "s" or node.value != 30:
        raise problems.error("NQL409", "The only resolution to ask for is by 30s.", node.span)
    if not any("30s" in step for step in table.resolution):
        message = f"{table.name} has no samples of 30 seconds."
        raise problems.error("NQL409", message, node.span, "Only session.vdi_events has.")


def refuse(problems: Problems, ref: ast.TableRef, table: Table) -> Reported:
    """Records that a table takes no time selection."""
    assert ref.selection is not None
    message = f"{table.shortcut or table.name} has no time, so it takes no time selection."
    return problems.error("NQL410", message, ref.selection.span, "Leave the selection out.")
