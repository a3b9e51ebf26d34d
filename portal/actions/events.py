"""Who watches runs, and the word that something about a run changed.

In: changes, told by the control database in whatever thread made them, and pokes. Out: watchers that wake. Invariants:
a watcher holds no change (what changed is read from the log, so that nothing is lost and a slow one costs nothing);
all watchers end when the portal stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from portal.errors import ApiError
from storage.control.executions import Change

MOST_WATCHERS = 200


class Watcher:
    """One who watches one run."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.closed = False

    def look(self) -> None:
        """Something about the run changed."""
        self._event.set()

    def close(self) -> None:
        """There will be no more."""
        self.closed = True
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until something changed since this was called last; False when nothing did for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        if not self.closed:
            self._event.clear()
        return True


class Watchers:
    """All who watch. `told` may be called in any thread, everything else on the loop."""

    def __init__(self) -> None:
        self._runs: dict[str, set[Watcher]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Take the running loop as the one that watchers wait on."""
        self._loop = asyncio.get_running_loop()

    def told(self, change: Change) -> None:
        """The control database tells of a change."""
        if self._loop is None or change.run not in self._runs:
            return
        with suppress(RuntimeError):  # the loop is closed: nobody watches any more
            self._loop.call_soon_threadsafe(self.poke, change.run)

    def poke(self, run: str) -> None:
        """Something about a run changed. Call it on the loop."""
        for watcher in self._runs.get(run, ()):
            watcher.look()

    def check_room(self) -> None:
        """Raises ApiError 503 when too many watch."""
        if sum(map(len, self._runs.values())) >= MOST_WATCHERS:
            raise ApiError(503, "busy", "Too many are watching runs.", headers={"Retry-After": "10"})

    @contextmanager
    def watching(self, run: str) -> Iterator[Watcher]:
        """Watch a run."""
        watcher = Watcher()
        self._runs.setdefault(run, set()).add(watcher)
        try:
            yield watcher
        finally:
            self._runs[run].discard(watcher)
            if not self._runs[run]:
                del self._runs[run]

    def close(self) -> None:
        """Have everyone end: the portal stops."""
        for watchers in self._runs.values():
            for watcher in watchers:
                watcher.close()
