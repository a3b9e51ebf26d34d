"""Who may run now: queries that are too much for the serving process, by class, each with its own turns and queue.

In: the class of a query. Out: a turn, as long as its block lasts; or a clear refusal when too many wait already.
Invariants: no class takes another one's turns, so that exports never keep people waiting who look at a page; nobody
waits longer than a query of the class may run; who gives up leaves the queue at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from portal.errors import ApiError


class Purpose(StrEnum):
    """What a query is asked for."""

    INTERACTIVE = "interactive"
    LIVE = "live"
    EXPORT = "export"
    SCHEDULE = "schedule"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many run at once, how many may wait, and how many seconds one may take."""

    running: int
    waiting: int
    seconds: float


BOUNDS: Mapping[Purpose, Bounds] = {
    Purpose.INTERACTIVE: Bounds(2, 16, 60.0),
    Purpose.LIVE: Bounds(1, 100, 60.0),
    Purpose.EXPORT: Bounds(1, 8, 600.0),
    Purpose.SCHEDULE: Bounds(1, 64, 300.0),
    Purpose.BACKGROUND: Bounds(1, 8, 600.0),
}
NARROW = "Narrow the window or list fewer columns"
HINTS: Mapping[Purpose, str] = {
    Purpose.INTERACTIVE: f"{NARROW}, or export the answer instead: an export may take ten minutes.",
    Purpose.LIVE: f"{NARROW}, or ask it once.",
    Purpose.EXPORT: f"{NARROW}, and export in several pieces.",
    Purpose.SCHEDULE: "Narrow the window of the query that chooses the devices.",
    Purpose.BACKGROUND: f"{NARROW}.",
}
WORDS: Mapping[Purpose, str] = {
    Purpose.INTERACTIVE: "large queries",
    Purpose.LIVE: "live queries",
    Purpose.EXPORT: "exports",
    Purpose.SCHEDULE: "queries of schedules",
    Purpose.BACKGROUND: "queries in the background",
}


class _Gate:
    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.turns = asyncio.Semaphore(bounds.running)
        self.waiting = 0


class Admission:
    """Turns by class. To be used from one event loop."""

    def __init__(self, bounds: Mapping[Purpose, Bounds] = BOUNDS) -> None:
        self._gates = {purpose: _Gate(bounds[purpose]) for purpose in Purpose}

    def seconds(self, purpose: Purpose) -> float:
        """How long a query of a class may take."""
        return self._gates[purpose].bounds.seconds

    @asynccontextmanager
    async def turn(self, purpose: Purpose) -> AsyncIterator[None]:
        """A turn, once there is one. Raises ApiError 503 where too many wait, or nobody came to an end in time."""
        gate = self._gates[purpose]
        await self._wait(gate, purpose)
        try:
            yield
        finally:
            gate.turns.release()

    async def _wait(self, gate: _Gate, purpose: Purpose) -> None:
        if gate.turns.locked() and gate.waiting >= gate.bounds.waiting:
            raise _busy(purpose, f"{gate.waiting} {WORDS[purpose]} are waiting already.")
        gate.waiting += 1
        try:
            async with asyncio.timeout(gate.bounds.seconds):
                await gate.turns.acquire()
        except TimeoutError:
            raise _busy(purpose, f"No turn came for {gate.bounds.seconds:g} seconds.") from None
        finally:
            gate.waiting -= 1


def _busy(purpose: Purpose, message: str) -> ApiError:
    hint = "Try again in a moment, cancel one of your own that run, or narrow the window so that it needs no turn."
    if purpose is Purpose.SCHEDULE:
        hint = "It is tried again with the next due time."
    return ApiError(503, "busy", message, hint, headers={"Retry-After": "10"})
