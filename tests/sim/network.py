"""What lies between devices and the portal: it delays, drops, doubles, reorders and cuts.

In: requests of devices. Out: answers, or LostError after a while. Invariant: an answer comes only of a request that
arrived; a request that arrived may have been answered although its device never hears of it, and may arrive again. A
device that is cut off, and a portal that is down, hear and say nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from storage.control.errors import UnavailableError
from tests.sim.ledger import Ledger
from tests.sim.portal import ClonedError, Portal, RevokedError

__all__ = ["ClonedError", "LostError", "Network", "RevokedError"]

T = TypeVar("T")
Ask = Callable[[Portal], Coroutine[Any, Any, T]]
SECOND = 1_000_000
TIMEOUT = 30.0  # seconds after which a device gives a request up


class LostError(Exception):
    """There is no answer."""


class Cable:
    """An open connection as a portal sees it. `closed` is the reason of its end, `greeted` whether the device has shown
    itself, `left` whether it has gone, which a portal may learn late."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.nudged = self.configured = self.greeted = self.left = False
        self.closed: int | None = None

    def nudge(self) -> None:
        """There is work."""
        self.nudged = True
        self._event.set()

    def configure(self) -> None:
        """The configuration is another."""
        self.configured = True
        self._event.set()

    def close(self, code: int) -> None:
        """It ends."""
        self.closed = code
        self._event.set()

    async def wait(self) -> bool:
        """Wait for news; False when it has ended."""
        await self._event.wait()
        self._event.clear()
        return self.closed is None


class Network:
    """The one network of a world, its true time, and its ledger. `faults` is how likely each thing goes wrong."""

    def __init__(self, random: Random, ledger: Ledger, start: int) -> None:
        self.random, self.ledger = random, ledger
        self.faults, self.peace = 0.0, False
        self.portal: Portal | None = None
        self.cut: set[str] = set()
        self._start = start
        self._copies: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> int:
        """True time, in microseconds UTC."""
        return self._start + round(asyncio.get_running_loop().time() * SECOND)

    def tell(self, text: str) -> None:
        """Add to the story."""
        self.ledger.tell(self.now - self._start, text)

    def pause(self, most: float = 2.0) -> float:
        """A random time in seconds, mostly short."""
        return self.random.expovariate(8 / most)

    def fails(self) -> bool:
        """Whether something goes wrong now."""
        return self.random.random() < self.faults

    def linked(self, device: str) -> bool:
        """Whether a device and a portal can hear each other."""
        return device not in self.cut and self.portal is not None

    async def reach(self, device: str) -> Portal:
        """A portal, if the way is open."""
        await self._travel(device)
        if self.portal is None:
            raise LostError
        return self.portal

    def deliver(self, work: Callable[[], None]) -> None:
        """Bring something small over an open connection: late, or never."""
        if not self.fails():
            asyncio.get_running_loop().call_later(self.pause(), work)

    async def exchange(self, device: str, ask: Ask[T]) -> tuple[Portal, T]:
        """A request and its answer. Raises LostError, RevokedError, ClonedError."""
        if self.fails():
            copy = asyncio.get_running_loop().create_task(self._again(ask))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)
        portal = await self.reach(device)
        answer = await self._answer(portal, ask)
        await self._travel(device)
        return portal, answer

    async def _travel(self, device: str) -> None:
        if not self.linked(device) or self.fails():
            await asyncio.sleep(TIMEOUT)
            raise LostError
        await asyncio.sleep(self.pause())

    async def _answer(self, portal: Portal, ask: Ask[T]) -> T:
        """The answer of a portal that may be killed while it works on it, or whose disk may refuse."""
        task = portal.spawn(ask(portal))
        await asyncio.wait({task})
        if task.cancelled():
            await asyncio.sleep(TIMEOUT)
            raise LostError
        try:
            return task.result()
        except UnavailableError:
            raise LostError from None

    async def _again(self, ask: Ask[Any]) -> None:
        """A copy of a request goes around for a while and then arrives, too."""
        await asyncio.sleep(self.pause(240.0))
        if self.portal is not None:
            with contextlib.suppress(LostError, RevokedError, ClonedError):
                await self._answer(self.portal, ask)
