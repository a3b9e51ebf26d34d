"""Keeping schedules; on plain values.

In: a caller, definitions. Out: schedules, their coming due times, their firings. Invariants: a schedule is saved only
by who may run its action now, with a query that can be asked and a cadence that comes; whoever saves it owns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from msgspec import json

from portal.caller import Caller
from portal.errors import ApiError
from portal.queries.service import Queries
from portal.schedules.deciding import check_fits, coming
from portal.schedules.messages import AskTimes, ScheduleBody
from portal.schedules.targets import UnfitError, check_may
from portal.threads import Threads
from storage.control.api import Control
from storage.control.cadence import CadenceError
from storage.control.manifest import check_parameters
from storage.control.schedule_definition import Definition, check
from storage.control.schedules import Firing, Saving, Schedule


class Schedules:
    """The schedules slice."""

    def __init__(
        self,
        control: Control,
        queries: Queries,
        threads: Threads,
        clock: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called where what devices follow by themselves is another now."""
        self._control, self._queries, self._threads, self._clock = control, queries, threads, clock
        self._changed = changed

    async def save(self, caller: Caller, nql_id: str, body: ScheduleBody, *, new: bool) -> Schedule:
        """Make or change a schedule. Raises QueryError, ApiError, ControlError."""
        if not new:
            await self._check_reach(caller, nql_id)
        now = self._clock()
        first = await self._checked(caller, nql_id, body.definition, now)
        wanted = Saving(nql_id, body.name, body.definition, caller.account.id, body.enabled, first)
        saved = await self._threads.control(self._control.schedules.save, wanted, by=caller.actor, now=now, new=new)
        return self._told(saved)

    async def enable(self, caller: Caller, nql_id: str, enabled: bool) -> Schedule:
        """Have a schedule go on, or stand still. Raises ControlError."""
        now = self._clock()
        found = await self._check_reach(caller, nql_id)
        first = check(found.definition, now=now) if enabled else None
        first = now if enabled and found.local else first
        enable = self._control.schedules.enable
        return self._told(await self._threads.control(enable, nql_id, enabled, first, by=caller.actor, now=now))

    async def delete(self, caller: Caller, nql_id: str) -> None:
        """Remove a schedule; its runs stay. Raises ControlError."""
        await self._check_reach(caller, nql_id)
        await self._threads.control(self._control.schedules.delete, nql_id, by=caller.actor, now=self._clock())
        self._changed()

    async def schedules(self) -> list[Schedule]:
        """All schedules."""
        return await self._threads.control(self._control.schedules.everything)

    async def schedule(self, nql_id: str) -> Schedule:
        """One schedule. Raises NotFoundError."""
        return await self._threads.control(self._control.schedules.schedule, nql_id)

    async def firings(self, caller: Caller, nql_id: str, limit: int, before: int | None) -> list[Firing]:
        """What became of a schedule's due times, newest first; without the details, which may count what the caller
        does not see, of somebody else's for who has a view domain. Raises NotFoundError."""
        schedule = await self.schedule(nql_id)
        found = await self._threads.control(self._control.schedules.firings, nql_id, limit=limit, before=before)
        if caller.domain is None or schedule.owner == caller.account.id:
            return found
        return [replace(firing, detail=None) for firing in found]

    async def coming(self, nql_id: str, count: int) -> tuple[str, list[tuple[int, int]]]:
        """The zone and the next due times of a schedule, with when each fires. Raises NotFoundError."""
        found = await self.schedule(nql_id)
        times = await self._threads.small(coming, nql_id, found.definition, self._clock(), count)
        return found.definition.zone, times

    async def times(self, asked: AskTimes) -> list[tuple[int, int]]:
        """The next due times of a cadence. Raises ApiError 422."""
        definition = Definition("#none", "devices", asked.cadence, zone=asked.zone, ends_at=asked.ends_at)
        try:
            return await self._threads.small(coming, "#none", definition, self._clock(), asked.count)
        except CadenceError as error:
            raise ApiError(422, "bad_cadence", f"{error}.") from None

    async def _check_reach(self, caller: Caller, nql_id: str) -> Schedule:
        """The schedule, if it is the caller's own, or acts on nothing that it may not run or does not see. Raises
        NotFoundError, ApiError 403."""
        found = await self.schedule(nql_id)
        whole = caller.domain is None and caller.may_run(found.definition.action)
        if not whole and found.owner != caller.account.id:
            message = "This schedule is somebody else's and reaches further than your role."
            raise ApiError(403, "forbidden", message, f"Ask {found.owner_name}, who owns it.")
        return found

    async def _checked(self, caller: Caller, nql_id: str, definition: Definition, now: int) -> int:
        """The first due time of a definition that may be saved."""
        action = await self._threads.control(self._control.actions.action, definition.action)
        try:
            check_may(caller, action)
        except UnfitError as error:
            raise ApiError(422, "not_allowed", f"{error}.".capitalize()) from None
        check_parameters(action.inputs, definition.parameters)
        await self._queries.meant(caller, definition.target, 1)
        first = await self._threads.small(check, definition, now=now)
        if not definition.local:
            await self._threads.small(check_fits, nql_id, definition, now)
            return first
        if json.decode(action.content).get("secrets"):
            raise ApiError(422, "secrets", f"{action.nql_id} takes secrets, which go to no device ahead of time.")
        return now  # who follows it is looked up at once

    def _told(self, saved: Schedule) -> Schedule:
        if saved.local:
            self._changed()
        return saved
