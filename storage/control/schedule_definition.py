"""What a schedule says: which action for which devices, when, and what to do about times that were missed.

In: JSON as people write it. Out: a `Definition`, or RefusedError with what is wrong, and the due times that follow
from it. Invariants: a definition that was let in once can be read for ever; jitter is a digest of schedule and due
time, so that it is the same wherever and whenever it is asked for. Nothing here knows a database or a clock.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from storage.control import plans
from storage.control.cadence import Cadence, CadenceError, Rule, instant_of, newest, rule, seconds_of
from storage.control.errors import RefusedError
from storage.control.manifest import NqlId
from storage.control.plans import Plan

SECOND = 1_000_000
MOST_MISSED = 24  # due times that are made up for at once
ON_TIME = 300 * SECOND  # a due time that is decided within this was not missed
LEAST_LOCAL, MOST_LOCAL = 600, 86_400  # seconds
ANYTHING = Plan()
ParameterText = Annotated[str, Meta(max_length=30_000)]


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A schedule's content. `target` is NQL; `jitter` and `expires_in` are seconds (without it, a run's start expires
    when the next one is due); a `local` one runs on the device's clock, by its interval alone;
    `allow_draft` fires although no trusted author signed the action's newest version."""

    action: NqlId
    target: Annotated[str, Meta(min_length=1, max_length=20_000)]
    cadence: Cadence
    parameters: Annotated[dict[Annotated[str, Meta(max_length=64)], ParameterText], Meta(max_length=50)] = {}
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    jitter: Annotated[int, Meta(ge=0, le=3600)] = 0
    missed: Literal["skip", "once", "all"] = "once"
    ends_at: Annotated[str, Meta(max_length=40)] | None = None
    expires_in: Annotated[int, Meta(ge=60, le=30 * 86_400)] | None = None
    plan: Plan = ANYTHING
    local: bool = False
    allow_draft: bool = False


def read(text: str) -> Definition:
    """The definition of a stored text."""
    return msgspec.json.decode(text, type=Definition)


def check(definition: Definition, *, now: int) -> int:
    """The first due time after `now` of a definition that may be. Raises RefusedError."""
    plans.check(definition.plan)
    try:
        first = Times(definition).next(now)
        _check_jitter(definition, now)
        if definition.local:
            _check_local(definition)
    except CadenceError as error:
        raise RefusedError("bad_cadence", str(error)) from None
    if first is None:
        raise RefusedError("never_due", "the schedule is never due: its cadence names no time ahead, or it has ended")
    return first


class Times:
    """The due times of a definition. Raises CadenceError."""

    def __init__(self, definition: Definition) -> None:
        self._rule: Rule = rule(definition.cadence, definition.zone)
        self._end = None if definition.ends_at is None else instant_of(definition.ends_at)

    def next(self, after: int) -> int | None:
        """The first due time later than `after`, None if there is none."""
        found = self._rule.next(after)
        return None if found is None or (self._end is not None and found > self._end) else found

    def newest(self, start: int, end: int) -> list[int]:
        """The last due times in [start, end), oldest first, one more than are ever made up for."""
        last = end if self._end is None else min(end, self._end + 1)
        return newest(self._rule, start, last, MOST_MISSED + 1)


def jitter(nql_id: str, definition: Definition, due_at: int) -> int:
    """Microseconds by which a due time is put off: from 0 up to the definition's jitter."""
    digest = sha256(f"{nql_id}\n{due_at}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * definition.jitter * SECOND >> 64


def every(definition: Definition) -> int:
    """The interval of a local schedule in seconds. Raises CadenceError."""
    text = definition.cadence.every
    seconds = 0 if text is UNSET else seconds_of(text)
    if not LEAST_LOCAL <= seconds <= MOST_LOCAL:
        raise CadenceError("a local schedule has an interval from 10min to 24h, such as {'every': '30min'}")
    return seconds


def _check_jitter(definition: Definition, now: int) -> None:
    times, before = Times(definition), now
    for _ in range(10):
        due = times.next(before)
        if due is None:
            return
        if before > now and due - before < definition.jitter * SECOND:
            raise CadenceError("the jitter is longer than the time between two due times; make it shorter")
        before = due


def _check_local(definition: Definition) -> None:
    every(definition)
    if definition.plan != ANYTHING or definition.jitter or definition.expires_in is not None:
        raise CadenceError("a local schedule has no plan, jitter or expiry: it runs on each device's own clock")
