"""Two machines with one identity: seen by the trails with which they come, and by what they send under one number.

In: devices that were greeted, with their trails; batches of telemetry that were stored. Out: connections that end, and
devices that are held until somebody decides. Invariants: one machine at a time leads, the one that came last, and only
it is given work; the connections of who led before it end, so that a copy has to come again and shows itself by a trail
that lacks the newest step; a greeting that was overtaken, an answer that got lost and a batch that is sent again prove
nothing. Nothing is decided here: that is `storage.control.enrolment`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from portal.agents.gathering import Gathering, tried
from portal.nudges import CLONED, OVERTAKEN, REVOKED, Link, Nudges
from portal.threads import Threads
from storage.control.api import Control
from storage.control.enrolment import Seen
from storage.control.errors import UnavailableError

AGAIN = 5.0  # seconds, where the control database could not be written
MOST_BATCHES = 100_000  # devices whose newest batch is remembered
log = structlog.get_logger("trails")


@dataclass(frozen=True, slots=True)
class Greeted:
    """A device that has shown that it is there: its trail, and the newest step when its greeting began."""

    device: str
    trail: Sequence[str]
    before: str | None


class Trails:
    """The trails of all devices."""

    def __init__(self, control: Control, nudges: Nudges, threads: Threads, clock: Callable[[], int]) -> None:
        self._control, self._nudges, self._threads, self._clock = control, nudges, threads, clock
        self._greetings = Gathering(threads, self._greet)
        self._batches: dict[str, tuple[str, int, bytes]] = {}

    async def greeted(self, link: Link, came: Greeted) -> None:
        """What follows when a device comes: it leads from now on and hears of what waits for it, or its connections
        end. It is known to `Nudges` by now, so whatever comes to be from here on is told to it."""
        while True:
            try:
                seen, waits = await self._greetings.ask(came)
                break
            except UnavailableError:  # nothing is handed out meanwhile either
                await asyncio.sleep(AGAIN)
                if link not in self._nudges.links(came.device):
                    return
        match seen:
            case Seen.CLOSED:
                link.close(REVOKED)
            case Seen.CLONED:
                self._ends(came.device, "trail")
            case Seen.OVERTAKEN:
                link.close(OVERTAKEN)
            case Seen.FURTHER:
                for other in self._nudges.links(came.device):
                    if other is not link:
                        other.close(OVERTAKEN)
        if waits and seen in (Seen.FURTHER, Seen.KNOWN):
            link.nudge()

    async def stored(self, device: str, epoch: str, sequence: int, digest: bytes, *, again: bool) -> bool:
        """Whether a batch, which is stored or was stored before (`again`), is one that this machine may send: not
        another one under the same number."""
        newest = self._batches.get(device)
        if not again:
            if len(self._batches) >= MOST_BATCHES:
                self._batches.clear()
            self._batches[device] = epoch, sequence, digest
        elif newest is not None and newest[:2] == (epoch, sequence) and newest[2] != digest:
            await self._threads.control(self._control.enrolment.hold, device, "batch", now=self._clock())
            self._ends(device, "batch")
            return False
        return True

    def _ends(self, device: str, by: str) -> None:
        log.warning("device_cloned", device=device, seen_by=by)
        self._nudges.close(device, CLONED)

    def _greet(self, came: Sequence[Greeted]) -> list[tuple[Seen, bool] | Exception]:
        return self._control.together(lambda: [tried(partial(self._see, one)) for one in came])

    def _see(self, one: Greeted) -> tuple[Seen, bool]:
        now, control = self._clock(), self._control
        seen = control.enrolment.greet(one.device, one.trail, before=one.before, now=now)
        waited = control.dispatch.is_waited_for(one.device, now=now)
        return seen, waited or control.campaign_dispatch.is_waited_for(one.device, now=now)
