"""When a schedule is due: one of seven forms of cadence in a time zone, as a pure function of instants.

In: a `Cadence` as people write it, an IANA zone, an instant in microseconds UTC. Out: the next due instant, or those in
a span. Invariants: it reads no clock and is bounded whatever is asked; `every` counts from 1970 in UTC. Wall times obey
two rules: one that the zone skips is due at the first instant after the gap, one that it has twice is due at the first
of the two. Whoever names all 24 hours means real hours, and gets both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET, Meta, Struct, UnsetType

from storage.control import cron
from storage.control.cron import LAST_DAY, Fields

SECOND = 1_000_000
MINUTE = timedelta(minutes=1)
UNITS = {"min": 60, "h": 3600, "d": 86_400}
LEAST_EVERY, MOST_EVERY = 60, 31 * 86_400  # seconds
LOOK_AHEAD = timedelta(days=9 * 366)  # from one 29 February to the next there may be eight years
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)

At = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class CadenceError(ValueError):
    """The cadence cannot be: the text says why."""


class Hourly(Struct, frozen=True, forbid_unknown_fields=True):
    """Each hour, at this minute of it."""

    minute: Annotated[int, Meta(ge=0, le=59)] = 0


class Daily(Struct, frozen=True, forbid_unknown_fields=True):
    """Each day, at this wall time."""

    at: At


class Weekly(Struct, frozen=True, forbid_unknown_fields=True):
    """On these days of the week, at this wall time."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)]
    at: At


class Monthly(Struct, frozen=True, forbid_unknown_fields=True):
    """On this day of the month, at this wall time. A month that has no such day is left out."""

    day: Annotated[int, Meta(ge=1, le=31)] | Literal["last"]
    at: At


class Cadence(Struct, frozen=True, forbid_unknown_fields=True):
    """One of its fields is given. `every` is such as 15min, 6h, 1d; `once` an instant with its offset from UTC."""

    every: Annotated[str, Meta(max_length=20)] | UnsetType = UNSET
    cron: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    hourly: Hourly | UnsetType = UNSET
    daily: Daily | UnsetType = UNSET
    weekly: Weekly | UnsetType = UNSET
    monthly: Monthly | UnsetType = UNSET
    once: Annotated[str, Meta(max_length=40)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
        if len(given) != 1:
            raise ValueError(f"a cadence is one of {', '.join(self.__struct_fields__)}, not {len(given)} of them")


class Rule(Protocol):
    """A cadence that was read."""

    def next(self, after: int) -> int | None:
        """The first due instant later than `after`; None if there is none (in the coming nine years)."""
        ...


def rule(cadence: Cadence, zone: str) -> Rule:
    """Read a cadence. Raises CadenceError."""
    place = known_zone(zone)
    if cadence.every is not UNSET:
        return _Every(seconds_of(cadence.every))
    if cadence.once is not UNSET:
        return _Once(instant_of(cadence.once))
    return _Calendar(_fields(cadence), place)


def due(given: Rule, start: int, end: int, most: int) -> list[int]:
    """The due instants in [start, end), oldest first, at most so many."""
    found: list[int] = []
    at = given.next(start - 1)
    while at is not None and at < end and len(found) < most:
        found.append(at)
        at = given.next(at)
    return found


def newest(given: Rule, start: int, end: int, most: int) -> list[int]:
    """The last `most` due instants in [start, end), oldest first. Costs no more for a span that is long."""
    span = 3600 * SECOND
    while True:
        begin = max(start, end - span)
        found = due(given, begin, end, 100_000)
        if begin == start or len(found) >= most:
            return found[-most:]
        span *= 2


def known_zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises CadenceError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CadenceError(f"there is no time zone {name[:64]!r}; an IANA name is such as Europe/Zurich") from None


def seconds_of(text: str) -> int:
    """The seconds of an interval such as 15min. Raises CadenceError."""
    found = re.fullmatch(r"([0-9]{1,6}) ?(min|h|d)", text)
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not LEAST_EVERY <= seconds <= MOST_EVERY:
        raise CadenceError(f"{text!r} is no interval from 1min to 31d, such as 15min, 6h or 1d")
    return seconds


def instant_of(text: str) -> int:
    """Microseconds UTC of an ISO 8601 text that says its offset from UTC. Raises CadenceError."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise CadenceError(f"{text!r} is no instant such as 2026-12-01T03:00:00Z") from None
    if value.tzinfo is None:
        raise CadenceError(f"{text!r} does not say its offset from UTC; end it with Z for UTC")
    if not EPOCH <= value < LATEST:
        raise CadenceError(f"{text!r} is not in the years from 1970 to 8999")
    return _micros(value)


def _fields(cadence: Cadence) -> Fields:
    if cadence.cron is not UNSET:
        try:
            return cron.parse(cadence.cron)
        except ValueError as error:
            raise CadenceError(str(error)) from None
    if cadence.hourly is not UNSET:
        return cron.ANY.at(frozenset({cadence.hourly.minute}), cron.ANY.hours)
    for day in (cadence.daily, cadence.weekly, cadence.monthly):
        if day is not UNSET:
            hour, minute = (frozenset({int(part)}) for part in day.at.split(":"))
            fields = cron.ANY.at(minute, hour)
            if isinstance(day, Weekly):
                return fields.on(weekdays=frozenset(WEEKDAYS.index(name) for name in day.days))
            if isinstance(day, Monthly):
                return fields.on(days=frozenset({LAST_DAY if day.day == "last" else day.day}))
            return fields
    raise CadenceError("the cadence is empty")


def _micros(value: datetime) -> int:
    return (value - EPOCH) // timedelta(microseconds=1)


def _time(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=min(max(at, 0), _micros(LATEST)))


@dataclass(frozen=True, slots=True)
class _Every:
    seconds: int

    def next(self, after: int) -> int | None:
        """The next multiple of the interval."""
        size = self.seconds * SECOND
        return (after // size + 1) * size


@dataclass(frozen=True, slots=True)
class _Once:
    at: int

    def next(self, after: int) -> int | None:
        """The instant, while it is ahead."""
        return self.at if self.at > after else None


@dataclass(frozen=True, slots=True)
class _Calendar:
    fields: Fields
    zone: ZoneInfo

    def next(self, after: int) -> int | None:
        """The first wall time of a matching day that comes later."""
        begin = _time(after)
        for day in self._days(begin.astimezone(self.zone).date(), begin):
            for instant in self._hourly(day, begin) if self.fields.each_hour else self._named(day):
                if instant > begin:
                    return _micros(instant)
        return None

    def _days(self, day: date, begin: datetime) -> Iterator[date]:
        last = (begin + LOOK_AHEAD).date()
        while day < last:
            if day.month not in self.fields.months:  # on to the first of the next month
                day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
                continue
            if self.fields.matches(day):
                yield day
            day += timedelta(days=1)

    def _named(self, day: date) -> Iterator[datetime]:
        for hour in sorted(self.fields.hours):
            for minute in sorted(self.fields.minutes):
                yield instant_of_wall(datetime.combine(day, time(hour, minute)), self.zone)

    def _hourly(self, day: date, begin: datetime) -> Iterator[datetime]:
        """Real minutes of the day: an hour that the zone repeats comes twice, one that it skips not at all."""
        instant = instant_of_wall(datetime.combine(day, time()), self.zone)
        instant = max(instant, begin.replace(second=0, microsecond=0))
        end = instant_of_wall(datetime.combine(day + timedelta(days=1), time()), self.zone)
        while instant < end:
            if instant.astimezone(self.zone).minute in self.fields.minutes:
                yield instant
            instant += MINUTE


def instant_of_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant (in UTC) of a wall time: the first if there are two, the end of the gap if there is none."""
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first  # the change lies between the two
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after
