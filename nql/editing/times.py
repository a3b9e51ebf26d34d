"""Time selections in words: as they were written, and with a context as dates on the calendar.

In: a window of the plan, perhaps a `Context`. Out: the end of a sentence, such as `in the last 7 calendar days (Zurich
time: 4 to 10 November 2024)`. Invariant: dates come from the same function that resolves a plan, so that they are what
a query really reads.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nql.plan.windows import (
    Absolute,
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
)
from nql.semantics.instants import Clock, absolute
from nql.semantics.resolve import Context

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_UNITS = {
    "ms": "millisecond", "s": "second", "min": "minute", "m": "minute", "h": "hour", "d": "day", "w": "week",
    "month": "month",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1)
_HOUR = timedelta(hours=1)


def length(count: int | float, unit: str) -> str:
    """A length of time: `1 day`, `30 minutes`."""
    word = _UNITS.get(unit, unit)
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def in_window(window: Window, context: Context | None) -> str:
    """A time selection as the end of a sentence."""
    said = _said(window)
    if context is None:
        return f"{said}{_zone_rule(window)}"
    clock = Clock(context.now, context.instance_zone, context.user_zone)
    try:
        found = absolute(window, clock)
    except (ValueError, OverflowError, TypeError):  # no such time, or a length that is a parameter
        return said
    return f"{said} ({found.zone} time: {_dates(found, found.zone)})"


def _said(window: Window) -> str:
    match window:
        case Past(1, "d"):
            return "today"
        case Past(count, "d"):
            return f"in the last {count} calendar days"
        case Past(count, unit):
            return f"in the last {length(count, unit)}"
        case Given(name):
            return f"in the last ${name}"
        case OnDay(day):
            return f"on {date_words(day)}"
        case Between(start, end):
            both = ", both days included" if window.precision is Precision.DAY else ""
            return f"from {_point(start)} to {_point(end)}{both}"
        case Retention(days):
            return f"in all the time that is kept, {length(days, 'd')}"
        case Shifted(inner, count, unit):
            return f"{_said(inner)}, all moved back by {length(count, unit)}"
        case Weeks(inner):
            return f"in the whole weeks, from Monday, that hold the time {_said(inner)}"
        case Absolute():
            return "in a time"


def _zone_rule(window: Window) -> str:
    """Which clock cuts the window, while nobody asks yet."""
    if isinstance(window, Retention):
        return ""
    if isinstance(window, Weeks):
        return " (UTC)"
    if isinstance(window, Past) and window.unit != "d":
        return f", up to the full {'hour' if window.unit == 'h' else 'quarter of an hour'} (your time)"
    return " (instance time)" if window.precision is Precision.DAY else " (your time)"


def _dates(found: Absolute, name: str) -> str:
    zone = ZoneInfo(name)
    start, end = _local(found.start, zone), _local(found.end, zone)
    if start.hour or start.minute or end.hour or end.minute:
        if start.date() == end.date():
            return f"{_day(start)} {start:%H:%M} to {end:%H:%M}"
        first = _day(start) if start.year != end.year else f"{start.day} {MONTHS[start.month - 1]}"
        return f"{first} {start:%H:%M} to {_day(end)} {end:%H:%M}"
    last = end - _HOUR
    if start.date() == last.date():
        return _day(start)
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day} to {_day(last)}"
    if start.year == last.year:
        return f"{start.day} {MONTHS[start.month - 1]} to {_day(last)}"
    return f"{_day(start)} to {_day(last)}"


def _local(instant: int, zone: ZoneInfo) -> datetime:
    return (
        (_EPOCH.replace(tzinfo=ZoneInfo("UTC")) + timedelta(microseconds=instant)).astimezone(zone).replace(tzinfo=None)
    )


def _day(when: datetime) -> str:
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def _point(point: Point) -> str:
    match point:
        case Ago(0, "d"):
            return "today"
        case Ago(1, "d"):
            return "yesterday"
        case Ago(count, unit):
            return f"{length(count, unit)} ago"
        case Moment():
            return date_words(point)


def date_words(moment: Moment) -> str:
    """A written date: `8 November 2024 13:00`."""
    year = f" {moment.year}" if moment.year is not None else ""
    day = f"{moment.day} {MONTHS[moment.month - 1]}{year}"
    if moment.hour is None:
        return day
    seconds = f":{moment.second:02}" if moment.second else ""
    zone = (
        ""
        if moment.zone is None
        else " UTC"
        if not moment.zone
        else f" UTC{moment.zone // 60:+03}:{moment.zone % 60:02}"
    )
    return f"{day} {moment.hour:02}:{moment.minute:02}{seconds}{zone}"


def period_words(period: Period) -> str:
    """A period of `by`: `day`, `6 hours`, `calendar month`."""
    word = _UNITS.get(period.unit, period.unit)
    return word if period.count == 1 else length(period.count, period.unit)
