"""One clock for all connections: who was silent, who has not said hello, who was told to go and did not.

In: links. Out: calls of them. Invariant: one task looks at everything, a slice a second, so that ten thousand
connections need no timer of their own; a link is looked at once a `ROUND`, and let go within `HELLO` or `GOING`
seconds of when it should have said hello or gone.
"""

from __future__ import annotations

import asyncio
from collections import deque

from portal.agents.link import Link

ROUND = 60  # seconds; agents ping more often than that, so those who are well are never asked
HELLO, GOING = 15, 1


class Wheel:
    """All links of one portal. Seconds are counted by its own turns."""

    def __init__(self) -> None:
        self._slices: list[dict[Link, None]] = [{} for _ in range(ROUND)]
        self._place = 0
        self._turns = 0
        self._waiting: dict[int, deque[tuple[int, Link]]] = {HELLO: deque(), GOING: deque()}

    def add(self, link: Link) -> None:
        """Look at this one from now on."""
        self._place = (self._place + 1) % ROUND  # one after the other, so that all slices have the same size
        self._slices[self._place][link] = None

    def remove(self, link: Link) -> None:
        """It is gone."""
        for piece in self._slices:
            if link in piece:
                del piece[link]
                return

    def expect(self, link: Link, seconds: int) -> None:
        """Let it go if it is still there, or has not been greeted, after `HELLO` or `GOING` seconds."""
        self._waiting[seconds].append((self._turns + seconds, link))

    async def run(self) -> None:
        """Turn until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.turn()

    def turn(self) -> None:
        """A second has passed."""
        self._turns += 1
        for seconds, waiting in self._waiting.items():
            while waiting and waiting[0][0] < self._turns:
                _, link = waiting.popleft()
                if seconds == GOING or not link.uid:
                    link.abort()
        for link in list(self._slices[self._turns % ROUND]):
            link.look()
