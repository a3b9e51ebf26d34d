"""The JSON of the schedule routes: what comes in with its bounds, and what goes out.

Data only. What a schedule says is `storage.control.schedule_definition.Definition`, the same in the API, in files and
in the database.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from storage.control.cadence import Cadence
from storage.control.schedule_definition import Definition

ScheduleId = Annotated[str, Meta(pattern=r"^#[a-z0-9_]{2,56}$(?!\n)")]
Title = Annotated[str, Meta(min_length=1, max_length=255)]


class ScheduleBody(Struct, forbid_unknown_fields=True):
    """A schedule as it shall be. Whoever saves it owns it: it runs under that account's rights."""

    name: Title
    definition: Definition
    enabled: bool = True


class NewSchedule(ScheduleBody, forbid_unknown_fields=True, kw_only=True):
    """A schedule to make."""

    nql_id: ScheduleId


class AskTimes(Struct, forbid_unknown_fields=True):
    """A cadence to look at."""

    cadence: Cadence
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"
    ends_at: Annotated[str, Meta(max_length=40)] | None = None
    count: Annotated[int, Meta(ge=1, le=100)] = 10


class ScheduleInfo(Struct):
    """A schedule. `next_at` is the due time that is decided next, None when there is none."""

    nql_id: str
    name: str
    definition: Definition
    enabled: bool
    owner: str
    revision: int
    next_at: str | None
    updated_at: str
    updated_by: str


class ScheduleOne(Struct):
    """One schedule."""

    schedule: ScheduleInfo


class ScheduleList(Struct):
    """All schedules, by id."""

    schedules: list[ScheduleInfo]


class DueTime(Struct):
    """A due time, when it fires (after its jitter), and its wall time in the schedule's zone."""

    due_at: str
    fires_at: str
    local: str


class DueTimes(Struct):
    """The coming due times, soonest first."""

    zone: str
    times: list[DueTime]


class FiringInfo(Struct):
    """What became of a due time: run, empty, skipped, stopped or failed."""

    due_at: str
    fired_at: str
    outcome: str
    run: str | None
    detail: str | None


class FiringList(Struct):
    """Firings, newest first."""

    firings: list[FiringInfo]
