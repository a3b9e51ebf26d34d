"""The schedule routes: decode, call, encode.

In: definitions, ids with or without their `#`. Out: schedules, due times, firings. Invariant: times are ISO 8601 in
UTC; the wall time of a due time stands beside it, in the schedule's zone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.responses import Response

from engine.formats import instant_text
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint, encode
from portal.schedules import messages as m
from portal.schedules.service import Schedules
from storage.control.schedules import Firing, Schedule

QUERY, EXECUTE = Permission.QUERY, Permission.EXECUTE
SECOND = 1_000_000
ONE = "/schedules/{nql_id}"


def endpoints(schedules: Schedules) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(schedules)
    new, change = m.NewSchedule, m.ScheduleBody
    return [
        Endpoint("GET", "/schedules", routes.all, "All schedules.", QUERY, answer=m.ScheduleList),
        Endpoint(
            "POST", "/schedules", routes.create, "Make a schedule.", EXECUTE, body=new, answer=m.ScheduleOne, status=201
        ),
        Endpoint(
            "POST",
            "/schedules/preview",
            routes.preview,
            "When a cadence comes.",
            QUERY,
            body=m.AskTimes,
            answer=m.DueTimes,
        ),
        Endpoint("GET", ONE, routes.one, "One schedule.", QUERY, answer=m.ScheduleOne),
        Endpoint("PUT", ONE, routes.change, "Change a schedule.", EXECUTE, body=change, answer=m.ScheduleOne),
        Endpoint("DELETE", ONE, routes.delete, "Remove a schedule; its runs stay.", EXECUTE, status=204),
        Endpoint("POST", f"{ONE}/enable", routes.enable, "Have it go on.", EXECUTE, answer=m.ScheduleOne),
        Endpoint("POST", f"{ONE}/disable", routes.disable, "Have it stand still.", EXECUTE, answer=m.ScheduleOne),
        Endpoint("GET", f"{ONE}/next", routes.next, "When it is due next.", QUERY, answer=m.DueTimes, query=("count",)),
        Endpoint(
            "GET",
            f"{ONE}/firings",
            routes.firings,
            "What became of its due times, newest first.",
            QUERY,
            answer=m.FiringList,
            query=("limit", "before"),
        ),
    ]


class _Routes:
    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def all(self, asked: Asked) -> m.ScheduleList:
        return m.ScheduleList([_info(schedule) for schedule in await self._schedules.schedules()])

    async def create(self, asked: Asked) -> Response:
        saved = await self._schedules.save(asked.caller, asked.body.nql_id, asked.body, new=True)
        headers = {"Location": f"{asked.request.url.path}/{saved.nql_id.removeprefix('#')}"}
        return Response(encode(m.ScheduleOne(_info(saved))), 201, headers=headers, media_type="application/json")

    async def preview(self, asked: Asked) -> m.DueTimes:
        return _times(asked.body.zone, await self._schedules.times(asked.body))

    async def one(self, asked: Asked) -> m.ScheduleOne:
        return m.ScheduleOne(_info(await self._schedules.schedule(_id(asked))))

    async def change(self, asked: Asked) -> m.ScheduleOne:
        return m.ScheduleOne(_info(await self._schedules.save(asked.caller, _id(asked), asked.body, new=False)))

    async def delete(self, asked: Asked) -> None:
        await self._schedules.delete(asked.caller, _id(asked))

    async def enable(self, asked: Asked) -> m.ScheduleOne:
        return m.ScheduleOne(_info(await self._schedules.enable(asked.caller, _id(asked), True)))

    async def disable(self, asked: Asked) -> m.ScheduleOne:
        return m.ScheduleOne(_info(await self._schedules.enable(asked.caller, _id(asked), False)))

    async def next(self, asked: Asked) -> m.DueTimes:
        return _times(*await self._schedules.coming(_id(asked), asked.number("count", 10, least=1, most=100)))

    async def firings(self, asked: Asked) -> m.FiringList:
        limit = asked.number("limit", 50, least=1, most=500)
        before = asked.number("before", 1 << 39, most=1 << 39)  # seconds since 1970
        found = await self._schedules.firings(asked.caller, _id(asked), limit, before * SECOND)
        return m.FiringList([_firing(firing) for firing in found])


def _id(asked: Asked) -> str:
    return f"#{asked.path('nql_id').removeprefix('#')}"


def _info(schedule: Schedule) -> m.ScheduleInfo:
    return m.ScheduleInfo(
        nql_id=schedule.nql_id,
        name=schedule.name,
        definition=schedule.definition,
        enabled=schedule.enabled,
        owner=schedule.owner_name,
        revision=schedule.revision,
        next_at=None if schedule.next_at is None else instant_text(schedule.next_at),
        updated_at=instant_text(schedule.updated_at),
        updated_by=schedule.updated_by.removeprefix("account:"),
    )


def _times(zone: str, found: list[tuple[int, int]]) -> m.DueTimes:
    place = ZoneInfo(zone)
    times = [m.DueTime(instant_text(due), instant_text(fires), _wall(due, place)) for due, fires in found]
    return m.DueTimes(zone, times)


def _wall(instant: int, place: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(instant // SECOND, UTC).astimezone(place):%a %Y-%m-%d %H:%M %Z}"


def _firing(firing: Firing) -> m.FiringInfo:
    return m.FiringInfo(
        due_at=instant_text(firing.due_at),
        fired_at=instant_text(firing.fired_at),
        outcome=firing.outcome,
        run=firing.run,
        detail=firing.detail,
    )
