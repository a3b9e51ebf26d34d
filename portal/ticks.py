"""The slow tick: what is due by time, and nudges that may have been lost.

In: the clock. Out: changes in the control database, nudges. Invariant: nothing depends on a tick being on time; a
failing tick is logged and the next one tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from portal.nudges import CLONED, Nudges
from portal.relay import Relay
from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import ControlError

PAUSE = 2.0  # seconds
REPAIR_EVERY = 10  # ticks
log = structlog.get_logger("tick")


class Ticks:
    """The one task of the portal's clock."""

    def __init__(
        self, control: Control, nudges: Nudges, relay: Relay, threads: Threads, clock: Callable[[], int]
    ) -> None:
        self._control = control
        self._nudges = nudges
        self._relay = relay
        self._threads = threads
        self._clock = clock
        self._count = 0
        self._opened = clock()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            try:
                await self.tick()
            except ControlError as error:
                log.warning("tick_failed", code=error.code)
            except Exception:
                log.exception("tick_failed")
            await asyncio.sleep(PAUSE)

    async def tick(self) -> None:
        """Do what is due now."""
        now = self._clock()
        if await self._threads.control(self._control.deadlines.tick, now=now):
            self._relay.wake()
        if await self._threads.control(self._control.campaign_responses.tick, now=now):
            self._relay.wake()
        await self._nudge_opened(now)
        if self._count % REPAIR_EVERY == 0 and self._nudges.devices:
            waiting = await self._threads.control(self._control.dispatch.waiting_devices, now=self._clock())
            asked = await self._threads.control(self._control.campaign_dispatch.waiting_devices, now=self._clock())
            self._nudges.nudge((waiting | asked) & self._nudges.devices)
            for device in await self._threads.control(self._control.enrolment.revoked) & self._nudges.devices:
                self._nudges.close(device)  # by somebody beside this process
            for one in await self._threads.control(self._control.enrolment.cloned):
                self._nudges.close(one.uid, CLONED)
        self._count += 1

    async def _nudge_opened(self, now: int) -> None:
        """Tell devices whose window opened, or whose retry is due, since the last tick."""
        after, self._opened = self._opened, now
        if after < now:
            self._nudges.nudge(await self._threads.control(self._control.dispatch.opened, after, now))
