"""From windows as said to instants: the clock, the zones, the rounding.

In: a symbolic window, now (microseconds UTC), the instance zone and the user's zone. Out: `Absolute`, `[start, end)`
in microseconds UTC, and the edges of a period's buckets. Invariant: whole days are calendar days of a zone, 23 or 25
hours long where its clock changes; day-precise windows are cut in the instance zone, all others in the user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from nql.plan.windows import (
    Absolute,
    Ago,
    Between,
    Buckets,
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

SECOND = 1_000_000
_UNITS = {"min": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_GRID = {"min": 15 * 60 * SECOND, "h": 3600 * SECOND}
_WEEK = 7 * _UNITS["d"]
_FIRST_MONDAY = 4 * _UNITS["d"]  # 1970-01-05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_BUCKETS = 50_000
MOST_FILLED = 2_000


@dataclass(frozen=True, slots=True)
class Clock:
    """One instant, and the zones that give it a calendar."""

    now: int
    instance: str
    user: str

    def zone(self, precision: Precision) -> str:
        """The zone that cuts windows of a precision."""
        return self.instance if precision is Precision.DAY else self.user


def absolute(window: Window, clock: Clock) -> Absolute:
    """The window as instants. Raises ValueError if it ends before it starts."""
    precision = window.precision
    zone = clock.zone(precision)
    match window:
        case Absolute():
            return window
        case Given():
            raise TypeError("the length of the window is not known")
        case Past(count, "d"):
            today = day_of(clock.now, zone)
            start, end = midnight(today - timedelta(count - 1), zone), midnight(today + timedelta(1), zone)
        case Past(count, unit):
            end = _up(clock.now, unit, zone)
            start = end - count * _UNITS[unit]
        case OnDay(day):
            at = _date(day, clock, zone)
            start, end = midnight(at, zone), midnight(at + timedelta(1), zone)
        case Between(first, last):
            start, end = _start(first, clock, precision), _end(last, clock, precision)
        case Retention(days):
            today = day_of(clock.now, zone)
            start, end = midnight(today - timedelta(days), zone), midnight(today + timedelta(1), zone)
        case Shifted(inner, count, unit):
            found = absolute(inner, clock)
            start, end = (_back(at, count, unit, zone) for at in (found.start, found.end))
        case Weeks(inner):
            found = absolute(inner, clock)
            start = (found.start - _FIRST_MONDAY) // _WEEK * _WEEK + _FIRST_MONDAY
            end = -((_FIRST_MONDAY - found.end) // _WEEK) * _WEEK + _FIRST_MONDAY
            return Absolute(start, end, precision, "UTC")  # periods are cut where the samples are
    if start > end:
        raise ValueError("The selection ends before it starts.")
    return Absolute(start, end, precision, zone)


def _back(at: int, count: int, unit: str, zone: str) -> int:
    """An instant some time earlier; days are those of a zone's calendar."""
    return _instant(_local(at, zone) - timedelta(count), zone) if unit == "d" else at - count * _UNITS[unit]


def buckets(period: Period, window: Absolute, now: int) -> Buckets:
    """The edges of a period's buckets over a window, from its start on. Raises ValueError if there are too many."""
    edges = _edges(period, window)
    if not period.fill:
        return Buckets(edges)
    if len(edges) > MOST_FILLED:
        raise ValueError(f"At most {MOST_FILLED:,} parts of the time can be filled.")
    return Buckets(edges, sum(edge <= now for edge in edges[:-1]))


def _edges(period: Period, window: Absolute) -> tuple[int, ...]:
    if period.unit in ("w", "month"):
        return _calendar(period, window)
    width = period.count * _UNITS[period.unit]
    if (window.end - window.start) // width > MOST_BUCKETS:
        raise ValueError(f"The period cuts the time into more than {MOST_BUCKETS:,} parts.")
    if period.unit != "d":
        return tuple(range(window.start, window.end + width, width))
    local = _local(window.start, window.zone)
    if midnight(local.date(), window.zone) == window.start:
        local = datetime.combine(local.date(), time())  # also of a day whose first hour the clocks skip
    edges = [window.start]
    while edges[-1] < window.end:
        local += timedelta(period.count)
        edges.append(_instant(local, window.zone))
    return tuple(edges) if len(edges) > 1 else (window.start, window.start + width)


def _calendar(period: Period, window: Absolute) -> tuple[int, ...]:
    """Whole weeks from a Monday on, or whole months from a first day on, on the calendar of the window's zone."""
    day = day_of(window.start, window.zone)
    day -= timedelta(day.weekday() if period.unit == "w" else day.day - 1)
    edges = [midnight(day, window.zone)]
    while edges[-1] < window.end or len(edges) < 2:
        if period.unit == "w":
            day += timedelta(weeks=period.count)
        else:
            months = day.year * 12 + day.month - 1 + period.count
            day = date(months // 12, months % 12 + 1, 1)
        edges.append(midnight(day, window.zone))
    return tuple(edges)


def instant(moment: Moment, clock: Clock) -> int:
    """A written date or time in the user's zone; midnight without a clock time."""
    if moment.zone is not None:
        return _instant(_wall(moment, clock, "UTC"), "UTC") - moment.zone * 60 * SECOND
    return _instant(_wall(moment, clock, clock.user), clock.user)


def day_range(moment: Moment, clock: Clock) -> tuple[int, int]:
    """The whole day of a date in the user's zone, half-open."""
    at = _date(moment, clock, clock.user)
    return midnight(at, clock.user), midnight(at + timedelta(1), clock.user)


def day_of(at: int, zone: str) -> date:
    """The calendar day of an instant in a zone."""
    return _local(at, zone).date()


def midnight(day: date, zone: str) -> int:
    """The first instant of a calendar day in a zone."""
    return _instant(datetime.combine(day, time()), zone)


def _start(point: Point, clock: Clock, precision: Precision) -> int:
    return _at(point, clock, precision, end=False)


def _end(point: Point, clock: Clock, precision: Precision) -> int:
    return _at(point, clock, precision, end=True)


def _at(point: Point, clock: Clock, precision: Precision, *, end: bool) -> int:
    """A point of `from ... to ...`. Day points of a day-precise window reach to the end of their day; in a clock-
    precise one a day is its midnight, as a time is its instant."""
    zone = clock.zone(precision)
    match point:
        case Ago(count, "d"):
            day = day_of(clock.now, zone) - timedelta(count)
        case Ago(count, unit):
            return _up(clock.now, unit, zone) - count * _UNITS[unit]
        case _ if point.precision is Precision.CLOCK:
            return instant(point, clock)
        case _:
            day = _date(point, clock, zone)
    return midnight(day + timedelta(1) if end and precision is Precision.DAY else day, zone)


def _date(moment: Moment, clock: Clock, zone: str) -> date:
    """The calendar day; without a year the latest such day that is not in the future."""
    if moment.year is not None:
        return date(moment.year, moment.month, moment.day)
    today = day_of(clock.now, zone)
    for year in range(today.year, today.year - 9, -1):
        try:
            day = date(year, moment.month, moment.day)
        except ValueError:  # February 29
            continue
        if day <= today:
            return day
    raise ValueError("There was no such day lately.")


def _wall(moment: Moment, clock: Clock, zone: str) -> datetime:
    clock_time = time(moment.hour or 0, moment.minute, moment.second)
    return datetime.combine(_date(moment, clock, zone), clock_time)


def _up(at: int, unit: str, zone: str) -> int:
    """An instant rounded up to the next full hour or quarter on the zone's clock."""
    grid = _GRID[unit]
    offset = _offset(at, zone)
    return -(-(at + offset) // grid) * grid - offset


def _local(at: int, zone: str) -> datetime:
    moment = _EPOCH + timedelta(microseconds=at)
    return moment.astimezone(_zone(zone)).replace(tzinfo=None, fold=0)


def _offset(at: int, zone: str) -> int:
    offset = (_EPOCH + timedelta(microseconds=at)).astimezone(_zone(zone)).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


def _instant(wall: datetime, zone: str) -> int:
    """The instant of a wall-clock time; one that a clock change skips is the instant the clock changes to."""
    moment = wall.replace(tzinfo=_zone(zone))
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
