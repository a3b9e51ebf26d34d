"""Tells connected devices that there is work. Best effort: a nudge may be lost, and the slow tick sends it again.

In: device uids, from any part of the portal, on the event loop. Out: for each open connection, an event to wait for.
Invariant: nothing is queued for a device that is not connected, and many nudges before it looks are one; closing a
device ends its connections at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Connection:
    """One open connection of a device, seen from inside the portal."""

    __slots__ = ("_event", "closed", "configured", "nudged")

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.closed = self.configured = self.nudged = False

    async def wait(self) -> bool:
        """Wait for news, which `nudged` and `configured` say; False when the connection has to end."""
        await self._event.wait()
        self._event.clear()
        return not self.closed

    def wake(self) -> None:
        """Nudge it."""
        self.nudged = True
        self._event.set()

    def configure(self) -> None:
        """Have it tell the device its configuration's tag."""
        self.configured = True
        self._event.set()

    def close(self) -> None:
        """Have it end."""
        self.closed = True
        self._event.set()


class Nudges:
    """All open connections, by device."""

    def __init__(self) -> None:
        self._open: dict[str, set[Connection]] = {}

    @contextmanager
    def connected(self, device: str) -> Iterator[Connection]:
        """Take part while a connection is open."""
        connection = Connection()
        self._open.setdefault(device, set()).add(connection)
        try:
            yield connection
        finally:
            mine = self._open[device]
            mine.discard(connection)
            if not mine:
                del self._open[device]

    def nudge(self, devices: Iterable[str]) -> int:
        """Wake the connections of devices; how many were woken."""
        woken = [connection for device in devices for connection in self._open.get(device, ())]
        for connection in woken:
            connection.wake()
        return len(woken)

    def configure(self) -> None:
        """Have every connection tell its device the tag of its configuration."""
        for connections in self._open.values():
            for connection in connections:
                connection.configure()

    def close(self, device: str) -> None:
        """End a device's connections: it was revoked."""
        for connection in list(self._open.get(device, ())):
            connection.close()

    def close_all(self) -> None:
        """End every connection: the portal stops."""
        for device in list(self._open):
            self.close(device)

    @property
    def devices(self) -> frozenset[str]:
        """The devices that are connected."""
        return frozenset(self._open)
