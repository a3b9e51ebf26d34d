"""What is to be done about a schedule at an instant: which due times fire, which are skipped, from when on to look.

In: a schedule as it is stored, now. Out: a `Verdict`. Invariants: pure; due times are decided in their order and never
before their jitter is over; what was missed follows the policy: `skip` fires only what is on time, `once` the newest,
`all` each of the newest `MOST_MISSED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storage.control.plans import check_time, too_late
from storage.control.schedule_definition import MOST_MISSED, ON_TIME, SECOND, Definition, Times, jitter
from storage.control.schedules import Schedule

LEAST_START, MOST_START = 60 * SECOND, 30 * 86_400 * SECOND
LOOKED_AT = 14  # due times, of which one must fit: a daily schedule may have a window on one day of the week
LAST_START = 86_400 * SECOND  # a run that nothing follows may start for a day


@dataclass(frozen=True, slots=True)
class Verdict:
    """Due times to fire; the newest that is skipped and how many are (25 stands for any more); the first due time that
    stays open, None for never."""

    fire: tuple[int, ...] = ()
    skipped: int | None = None
    skipped_count: int = 0
    next_at: int | None = None


def verdict(schedule: Schedule, now: int) -> Verdict | None:
    """What to do now; None if nothing."""
    if schedule.next_at is None:
        return None
    times = Times(schedule.definition)
    ready = list(_ready(schedule, times.newest(schedule.next_at, now + 1), now))
    if not ready:
        return None
    last = ready[-1]
    on_time = now - last - jitter(schedule.nql_id, schedule.definition, last) <= ON_TIME
    match schedule.definition.missed:
        case "skip":
            fire = ready[-1:] if on_time else []
        case "once":
            fire = ready[-1:]
        case _:
            fire = ready[-MOST_MISSED:]
    left = [due for due in ready if due not in fire]
    return Verdict(tuple(fire), left[-1] if left else None, len(left), times.next(last))


def expiry(definition: Definition, now: int) -> int:
    """When the start of a run that is fired now expires: as defined, else when the next one is due."""
    if definition.expires_in is not None:
        return now + definition.expires_in * SECOND
    following = Times(definition).next(now)
    return now + LAST_START if following is None else min(max(following, now + LEAST_START), now + MOST_START)


def check_fits(nql_id: str, definition: Definition, now: int) -> None:
    """Raise RefusedError where none of the next runs could reach all its devices before it expires."""
    times = [fires for _, fires in coming(nql_id, definition, now, LOOKED_AT)]
    if all(too_late(definition.plan, fires, expiry(definition, fires)) for fires in times):
        for fires in times[:1]:
            check_time(definition.plan, fires, expiry(definition, fires))


def coming(nql_id: str, definition: Definition, after: int, count: int) -> list[tuple[int, int]]:
    """The next due times after an instant, and when each fires. Raises CadenceError."""
    times, found = Times(definition), list[tuple[int, int]]()
    due = times.next(after)
    while due is not None and len(found) < count:
        found.append((due, due + jitter(nql_id, definition, due)))
        due = times.next(due)
    return found


def _ready(schedule: Schedule, dues: list[int], now: int) -> Iterator[int]:
    for due in dues:
        if due + jitter(schedule.nql_id, schedule.definition, due) > now:
            return  # one whose jitter is not over holds up those after it, so that the order stays
        yield due
