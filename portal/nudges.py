"""Tells connected devices that there is work. Best effort: a nudge may be lost, and the slow tick sends it again.

In: device uids, from any part of the portal, on the event loop. Out: calls of their open connections. Invariants:
nothing is queued for a device that is not connected; closing a device ends its connections at once; many are nudged
in pieces, so that whoever else waits for the event loop waits for one piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

PIECE = 250  # connections that are told at once


class Link(Protocol):
    """One open connection of a device."""

    def nudge(self) -> None:
        """Tell the device that there is work."""

    def configure(self) -> None:
        """Tell the device the tag of its configuration."""

    def close(self, code: int) -> None:
        """End it, for this reason."""


OVERTAKEN, GOING_AWAY, REVOKED, CLONED = 1000, 1001, 4403, 4409


class Nudges:
    """All open connections, by device."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Link, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, device: str, link: Link) -> bool:
        """A connection is open; whether it is the device's first."""
        mine = self._open.get(device, ())
        self._open[device] = (*mine, link)
        return not mine

    def remove(self, device: str, link: Link) -> bool:
        """A connection has ended; whether it was the device's last."""
        if not (mine := self._open.get(device)):
            return False
        if left := tuple(other for other in mine if other is not link):
            self._open[device] = left
        else:
            del self._open[device]
        return not left

    def nudge(self, devices: Iterable[str]) -> int:
        """Nudge the connections of devices; how many."""
        links = [link for device in devices for link in self._open.get(device, ())]
        for link in links[:PIECE]:
            link.nudge()
        if links[PIECE:]:
            self._later([link.nudge for link in links[PIECE:]])
        return len(links)

    def configure(self) -> None:
        """Have every connection tell its device the tag of its configuration."""
        self._later([link.configure for links in self._open.values() for link in links])

    def close(self, device: str, code: int = REVOKED) -> None:
        """End a device's connections: it was revoked, or for another reason."""
        for link in self._open.get(device, ()):
            link.close(code)

    def close_all(self) -> None:
        """End every connection: the portal stops."""
        for links in list(self._open.values()):
            for link in links:
                link.close(GOING_AWAY)

    def links(self, device: str) -> tuple[Link, ...]:
        """The connections of a device."""
        return self._open.get(device, ())

    def count(self, device: str) -> int:
        """How many connections a device has."""
        return len(self._open.get(device, ()))

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, device: object) -> bool:
        return device in self._open

    @property
    def devices(self) -> frozenset[str]:
        """The devices that are connected."""
        return frozenset(self._open)

    def _later(self, calls: list[Callable[[], None]]) -> None:
        task = asyncio.get_running_loop().create_task(_in_pieces(calls))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _in_pieces(calls: list[Callable[[], None]]) -> None:
    for start in range(0, len(calls), PIECE):
        for call in calls[start : start + PIECE]:
            call()
        await asyncio.sleep(0)
