"""Days: the UTC days that rows are filed under, and the days of the instance zone that daily samples are cut at.

All instants are microseconds since 1970 in UTC. A day of a zone begins at its first instant, which is not always
midnight, and lasts 23 to 25 hours where clocks change; both come from the zone's rules, never from adding 24 hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400_000_000  # of a UTC day, in microseconds
_EPOCH = date(1970, 1, 1)


def day_name(day: int) -> str:
    """A UTC day as `2026-11-22`, from its number since 1970."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def local_date(instant: int, zone: ZoneInfo) -> date:
    """The calendar date at an instant."""
    return datetime.fromtimestamp(instant // 1_000_000, UTC).astimezone(zone).date()


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant of a calendar day."""
    wall = datetime(day.year, day.month, day.day)
    start = wall.replace(tzinfo=zone).astimezone(UTC)
    if start.astimezone(zone).replace(tzinfo=None) != wall:  # midnight was skipped: the day begins where the gap ends
        start = _end_of_gap(wall, zone)
    return int(start.timestamp()) * 1_000_000


def next_start(instant: int, zone: ZoneInfo) -> int:
    """The first start of a day at or after an instant."""
    day = local_date(instant, zone)
    start = day_start(day, zone)
    return start if start >= instant else day_start(day + timedelta(days=1), zone)


def is_day(day: int, zone: ZoneInfo) -> bool:
    """Whether a UTC day is a day of the zone."""
    start, end = day * DAY, (day + 1) * DAY
    return next_start(start, zone) == start and next_start(start + 1, zone) == end


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clock jumps over a wall time: both readings of it lie on the two sides of the jump."""
    low = int(wall.replace(tzinfo=zone, fold=1).timestamp())
    high = int(wall.replace(tzinfo=zone, fold=0).timestamp())
    before = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)
