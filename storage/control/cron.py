"""Cron expressions of five fields, read into the sets of minutes, hours, days, months and weekdays they name.

In: a text such as `0 3 * * 1-5`. Out: `Fields`, or ValueError with what is wrong with which field. Invariant: it knows
no time and no zone; as everywhere with cron, a day matches by day of month or by weekday where both are limited. `L`
is the last day of a month; names are three letters of English; 0 and 7 are Sunday.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date

LAST_DAY = 32
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Fields:
    """What each field names. `weekdays` count from Monday as 0; None for a kind of day that is not limited."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    @property
    def each_hour(self) -> bool:
        """Whether all hours of a day are named."""
        return len(self.hours) == 24

    def at(self, minutes: frozenset[int], hours: frozenset[int]) -> Fields:
        """The same days at other times."""
        return replace(self, minutes=minutes, hours=hours)

    def on(self, days: frozenset[int] | None = None, weekdays: frozenset[int] | None = None) -> Fields:
        """The same times on other days."""
        return replace(self, days=days, weekdays=weekdays)

    def matches(self, day: date) -> bool:
        """Whether a date is among the days."""
        if day.month not in self.months:
            return False
        if self.days is None and self.weekdays is None:
            return True
        last = LAST_DAY in (self.days or ()) and day.day == monthrange(day.year, day.month)[1]
        return last or day.day in (self.days or ()) or day.weekday() in (self.weekdays or ())


ANY = Fields(frozenset(range(60)), frozenset(range(24)), None, frozenset(range(1, 13)), None)


def parse(text: str) -> Fields:
    """Read an expression. Raises ValueError."""
    parts = text.lower().split()
    if len(parts) != 5 or len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"a cron expression has five fields (minute hour day month weekday), {text[:40]!r} has {len(parts)}"
        )
    minute, hour, day, month, weekday = parts
    days = _field("day", day, 1, 31, ())
    weekdays = _field("weekday", weekday, 0, 7, DAYS)
    return Fields(
        _field("minute", minute, 0, 59, ()),
        _field("hour", hour, 0, 23, ()),
        None if days >= set(range(1, 32)) else days,
        _field("month", month, 1, 12, MONTHS, first=1),
        None if len({number % 7 for number in weekdays}) == 7 else frozenset((number - 1) % 7 for number in weekdays),
    )


def _field(name: str, text: str, least: int, most: int, names: tuple[str, ...], *, first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, every = part.partition("/")
        low, dash, high = span.partition("-")
        start = least if span == "*" else _number(name, low, least, most, names, first)
        end = _number(name, high, least, most, names, first) if dash else most if span == "*" or slash else start
        step = _step(name, every) if slash else 1
        if end < start:
            raise ValueError(f"the cron field {name} has a range that ends before it begins: {part!r}")
        found.update(range(start, end + 1, step))
    return frozenset(found)


def _number(name: str, text: str, least: int, most: int, names: tuple[str, ...], first: int) -> int:
    if text in names:
        return names.index(text) + first
    if name == "day" and text == "l":
        return LAST_DAY
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and least <= int(text) <= most):
        raise ValueError(f"the cron field {name} takes numbers from {least} to {most}, not {text[:20]!r}")
    return int(text)


def _step(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) > 0):
        raise ValueError(f"the step of the cron field {name} is a whole number from 1 to 99, not {text[:20]!r}")
    return int(text)
