"""Runs that go on by themselves: the next wave after soak and gate, devices that join, the end.

In: changes of executions, told in any thread, and a tick. Out: decisions in the control database, nudges. Invariants:
what a run asks of the data is asked under the rights its requester has now, and a requester without them halts it; a
gate that cannot be asked is no gate that holds; after a restart every run that has not ended is looked at again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Any

import structlog

from nql.diagnostics import QueryError
from portal.actions.events import Watchers
from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.nudges import Nudges
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.audit import PORTAL
from storage.control.errors import ControlError
from storage.control.executions import Change
from storage.control.plans import MOST_DEVICES
from storage.control.progress import Standing
from storage.control.runs import Run

SECOND = 1_000_000
PAUSE = 1.0  # seconds between ticks
LATER = 10 * SECOND  # until what did not work is tried again
FOLLOW_EVERY = 30 * SECOND
SHOWN = 3  # rows of a gate's answer in the reason of a halt
log = structlog.get_logger("runs")


class Progress:
    """What the tick does for runs."""

    def __init__(
        self,
        control: Control,
        queries: Queries,
        nudges: Nudges,
        watchers: Watchers,
        threads: Threads,
        clock: Callable[[], int],
    ) -> None:
        self._control, self._queries, self._nudges, self._watchers = control, queries, nudges, watchers
        self._threads, self._clock = threads, clock
        self._lock = Lock()
        self._changed: set[str] | None = None  # None: all that have not ended
        self._due: dict[str, int] = {}

    def told(self, change: Change) -> None:
        """The control database tells of a change."""
        self.look_at(change.run)

    def look_at(self, run: str) -> None:
        """Look at a run in the next tick. In any thread."""
        with self._lock:
            if self._changed is not None:
                self._changed.add(run)

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            try:
                await self.tick()
            except ControlError as error:
                log.warning("runs_wait", code=error.code)
            await asyncio.sleep(PAUSE)

    async def tick(self) -> None:
        """Look at every run that changed or whose time has come."""
        now = self._clock()
        for run in await self._ready(now):
            try:
                await self._try(run, now)
            except ControlError as error:  # the database cannot write now
                log.warning("run_waits", run=run, code=error.code)
                self._due[run] = now + LATER
            except Exception:
                log.exception("run_failed", run=run)
                self._due[run] = now + LATER

    async def _try(self, run: str, now: int) -> None:
        try:
            await self._look(run, now)
        except QueryError as error:
            await self._halt(run, f"the query of the run cannot be asked any more: {error.diagnostics[0].message}")
        except ApiError as error:
            if error.status < 500:
                await self._halt(run, f"the query of the run was refused: {error}")
            else:  # too many wait, or it took too long: that says nothing about the run
                log.warning("run_waits", run=run, code=error.code)
                self._due[run] = now + LATER

    async def _ready(self, now: int) -> list[str]:
        with self._lock:
            changed, self._changed = self._changed, set()
        if changed is None:
            changed = await self._unended()
        ready = changed | {run for run, due in self._due.items() if due <= now}
        for run in ready:
            self._due.pop(run, None)
        return sorted(ready)

    async def _unended(self) -> set[str]:
        try:
            return set(await self._threads.control(self._control.progress.unended))
        except BaseException:
            with self._lock:
                self._changed = None  # the next tick looks at all of them
            raise

    async def _look(self, run: str, now: int) -> None:
        progress = self._control.progress
        standing = await self._threads.control(progress.standing, run)
        if standing.over(now):
            self._went_on(run, await self._threads.control(progress.end, run, now=now))
            return
        if standing.run.plan.mode == "follow":
            self._due[run] = max(standing.run.expires_at, now)  # then it ends, whatever happens until then
        if standing.run.state != "running":
            return
        if standing.run.plan.mode == "follow" and now < standing.run.expires_at:
            await self._follow(standing.run, now)
        if standing.next_at is not None and standing.next_at > now:
            self._due[run] = min(self._due.get(run, standing.next_at), standing.next_at)
        elif standing.next_at is not None and await self._gate_holds(standing.run):
            await self._release(standing, now)

    async def _release(self, standing: Standing, now: int) -> None:
        run = standing.run.id
        devices = await self._threads.control(self._control.progress.release, run, standing.following, now=now)
        self._nudges.nudge(devices)
        self.look_at(run)
        self._went_on(run, bool(devices))

    async def _gate_holds(self, run: Run) -> bool:
        if run.plan.gate is None:
            return True
        caller = await self._requester(run)
        if caller is None:
            return False
        answer = await self._queries.ask(caller, run.plan.gate, parameters={"run": run.id}, limit=SHOWN + 1)
        wrong = answer.result.table.to_pylist()
        if not wrong:
            return True
        shown = "; ".join(_said(row) for row in wrong[:SHOWN])
        more = ", and more" if len(wrong) > SHOWN else ""
        await self._halt(run.id, f"the gate after wave {run.wave + 1} found: {shown}{more}")
        return False

    async def _follow(self, run: Run, now: int) -> None:
        """Have devices join that the query means now."""
        self._due[run.id] = min(now + FOLLOW_EVERY, run.expires_at)
        if run.target_text is None:
            return
        caller = await self._requester(run)
        if caller is None:
            return
        devices, _ = await self._queries.targets(caller, run.target_text, MOST_DEVICES)
        joined = await self._threads.control(self._control.progress.join, run.id, devices, now=now)
        self._nudges.nudge(joined)
        self._went_on(run.id, bool(joined))

    async def _requester(self, run: Run) -> Caller | None:
        """Who asked for the run, with the rights of now; None where the run was halted for the lack of them."""
        found = await self._threads.control(self._control.accounts.living, run.requested_by)
        caller = None if found is None else Caller(found)
        if caller is not None and caller.may(Permission.QUERY) and caller.may_run(run.action):
            return caller
        await self._halt(run.id, f"the account {run.requested_by} may not run {run.action} any more")
        return None

    async def _halt(self, run: str, detail: str) -> None:
        halt = self._control.progress.halt
        self._went_on(run, await self._threads.control(halt, run, detail, by=PORTAL, now=self._clock()))

    def _went_on(self, run: str, done: bool) -> None:
        if done:
            self._watchers.poke(run)


def _said(row: dict[str, Any]) -> str:
    """A row of a gate's answer in words: what of it is about an execution needs no table's name."""
    parts = []
    for name, value in row.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        parts.append(f"{name.removeprefix('remote_action.execution.')} {text}")
    return ", ".join(parts)
