"""The scheduler: at each tick, what is due becomes runs.

In: the clock. Out: firings and their runs in the control database, nudges. Invariants: only the holder of the lease
decides, and each decision is one transaction that the lease's token guards, so that a due time makes one run however
many schedulers there are and wherever one of them stops; one schedule's failure is written down as its own and holds up
no other; a clock that is set back makes schedules look from the new now on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from portal.access.service import Access
from portal.errors import ApiError
from portal.nudges import Nudges
from portal.queries.service import Queries
from portal.schedules.deciding import Verdict, expiry, verdict
from portal.schedules.targets import Round, UnfitError
from portal.threads import Threads
from storage.control import plans
from storage.control.api import Control
from storage.control.errors import ControlError, NotFoundError, RefusedError, UnavailableError
from storage.control.ids import uuid7
from storage.control.leases import LeaseLostError
from storage.control.runs import RunRequest
from storage.control.schedule_definition import Times
from storage.control.schedules import LEASE, Decision, Firing, Schedule

PAUSE = 2.0  # seconds
SECOND = 1_000_000
SET_BACK = 60 * SECOND  # a clock that goes back by less is let be
RENEW_EVERY = 10 * SECOND
LOOK_EVERY = 3600 * SECOND  # who follows a local schedule
log = structlog.get_logger("scheduler")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the scheduler works with."""

    control: Control
    access: Access
    queries: Queries
    nudges: Nudges
    threads: Threads
    clock: Callable[[], int]
    changed: Callable[[], None] = lambda: None  # called where what devices follow themselves is another now


@dataclass
class Holding:
    """The lease as this scheduler last knew it."""

    holder: str
    token: int | None = None
    seen_at: int = 0
    renewed_at: int = field(default=0)


class Scheduler:
    """One portal's scheduler."""

    def __init__(self, parts: Parts, holder: str | None = None) -> None:
        self._p = parts
        self._lease = Holding(holder or uuid7(parts.clock()))
        self._turn = asyncio.Lock()
        self._contents: dict[str, str] = {}  # which version of its action a local schedule went out with

    async def run(self) -> None:
        """Tick until cancelled; then let another take over at once."""
        try:
            while True:
                await self._try()
                await asyncio.sleep(PAUSE)
        finally:
            if self._lease.token is not None:
                with suppress(ControlError):  # then it runs out by itself
                    self._p.control.leases.release(LEASE, self._lease.token, now=self._p.clock())

    async def tick(self) -> list[Firing]:
        """Decide all that is due now, if the lease is ours: what came of it. Raises ControlError."""
        async with self._turn:
            return await self._tick()

    async def _tick(self) -> list[Firing]:
        if not await self._hold():
            return []
        due = await self._p.threads.control(self._p.control.schedules.due, now=self._p.clock())
        round_ = Round(self._p.access, self._p.control, self._p.queries, self._p.threads, self._p.clock)
        made: list[Firing] = []
        for schedule in due:
            if not await self._hold():
                break
            try:
                made += await self._decide(schedule, round_)
            except (LeaseLostError, UnavailableError):
                raise
            except Exception:  # nobody foresaw it: the next tick tries again, and the others do not wait for that
                log.exception("schedule_failed", schedule=schedule.nql_id)
        return made

    async def _try(self) -> None:
        try:
            await self.tick()
        except LeaseLostError:
            self._lease.token = None
            log.warning("scheduler_lost_lease")
        except ControlError as error:
            log.warning("scheduler_waits", code=error.code)
        except Exception:
            log.exception("scheduler_failed")

    # --- the lease -----------------------------------------------------------------------------
    async def _hold(self) -> bool:
        """Whether the lease is ours, renewed now and then."""
        now, mine = self._p.clock(), self._lease
        if mine.token is not None and 0 <= now - mine.renewed_at < RENEW_EVERY:
            return True
        token = await self._p.threads.control(self._p.control.leases.acquire, LEASE, mine.holder, now=now)
        set_back = now < mine.seen_at - SET_BACK
        if token is not None and (token != mine.token or set_back):
            await self._look_again(token, now)
        self._lease = Holding(mine.holder, token, now, now)
        return token is not None

    async def _look_again(self, token: int, now: int) -> None:
        """No schedule waits for longer than until its next due time by this clock."""
        for schedule in await self._p.threads.control(self._p.control.schedules.everything):
            following = now + LOOK_EVERY if schedule.local else Times(schedule.definition).next(now)
            if schedule.next_at is not None and following is not None and following < schedule.next_at:
                look = self._p.control.schedules.look_from
                await self._p.threads.control(look, schedule.nql_id, schedule.revision, following, token=token)

    # --- one schedule --------------------------------------------------------------------------
    async def _decide(self, schedule: Schedule, round_: Round) -> list[Firing]:
        now, token = self._p.clock(), self._lease.token
        if schedule.local and token is not None:
            return await self._follow(schedule, round_, token, now)
        found = await self._p.threads.small(verdict, schedule, now)
        if found is None or token is None:
            return []
        decisions = _skips(found)
        try:
            decisions += [await self._decision(schedule, due, round_, now) for due in found.fire]
        except ApiError:
            log.warning("schedule_waits", schedule=schedule.nql_id)  # too much is asked now; the next tick tries again
            return []
        store = self._p.control.decide_due
        made = await self._p.threads.control(store, schedule, decisions, found.next_at, token=token, now=now)
        self._nudge(decisions, made)
        return made

    async def _follow(self, schedule: Schedule, round_: Round, token: int, now: int) -> list[Firing]:
        """Have the devices of a local schedule's query follow it; nobody where its owner may not have it run."""
        store, due, failed = self._p.control.decide_due, schedule.next_at or now, list[Decision]()
        devices: list[str] = []
        try:
            caller = await round_.owner(schedule)
            devices = await round_.devices(caller, schedule.definition.target)
        except (UnfitError, NotFoundError, RefusedError) as error:
            failed = [Decision(due, "failed", str(error))]
        except ApiError:
            return []
        assign = self._p.control.schedules.assign
        other = await self._p.threads.control(assign, schedule, devices, now + LOOK_EVERY, token=token, now=now)
        content = await round_.content(schedule)
        if other or self._contents.get(schedule.nql_id) != content:
            self._contents[schedule.nql_id] = content
            self._p.changed()
        if not failed:
            return []
        again = replace(schedule, next_at=now + LOOK_EVERY)
        return await self._p.threads.control(store, again, failed, now + LOOK_EVERY, token=token, now=now)

    async def _decision(self, schedule: Schedule, due: int, round_: Round, now: int) -> Decision:
        wanted = schedule.definition
        try:
            caller = await round_.owner(schedule)
            devices = await round_.devices(caller, wanted.target)
        except (UnfitError, NotFoundError, RefusedError) as error:
            return Decision(due, "failed", str(error))
        if stopped := plans.stops(wanted.plan.limits, len(devices)):
            return Decision(due, "stopped", stopped)
        if not devices:
            return Decision(due, "empty", "the query has no device now")
        request = RunRequest(
            action=wanted.action,
            devices=tuple(devices),
            requested_by=caller.name,
            expires_at=expiry(wanted, now),
            parameters=wanted.parameters,
            target_text=wanted.target,
            trigger_method="scheduled",
            reason=schedule.name[:500],
            internal_source=f"schedule {schedule.nql_id}",
            schedule=schedule.nql_id,
            plan=wanted.plan,
        )
        return Decision(due, "run", request=request)

    def _nudge(self, decisions: Iterable[Decision], made: Iterable[Firing]) -> None:
        begun = {firing.due_at for firing in made if firing.run is not None}
        for decision in decisions:
            if decision.request is not None and decision.due_at in begun:
                self._p.nudges.nudge(decision.request.devices)


def _skips(found: Verdict) -> list[Decision]:
    if found.skipped is None:
        return []
    many = f"{found.skipped_count} due times" if found.skipped_count > 1 else "this due time"
    return [Decision(found.skipped, "skipped", f"{many} passed while nothing could fire")]
