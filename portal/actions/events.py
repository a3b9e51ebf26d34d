"""Changes of executions on their way to whoever watches a run.

In: changes, told by the control database in whatever thread made them. Out: for each watcher, the devices whose
execution changed since it last looked. Invariants: a slow watcher costs memory for one entry a device at most;
nothing is lost between watching and looking, as watching begins first; all watchers end when the portal stops.
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
        self._changed: dict[str, None] = {}
        self._event = asyncio.Event()
        self.closed = False

    def changed(self, device: str) -> None:
        """An execution changed."""
        self._changed[device] = None
        self._event.set()

    def look(self) -> None:
        """Something about the run changed that is not an execution."""
        self._event.set()

    def close(self) -> None:
        """There will be no more."""
        self.closed = True
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until something changed; False when nothing did for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True

    def take(self, most: int) -> list[str]:
        """The devices that changed, oldest first, at most so many; they are forgotten here."""
        taken = list(self._changed)[:most]
        for device in taken:
            del self._changed[device]
        if not self._changed and not self.closed:
            self._event.clear()
        return taken


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
            self._loop.call_soon_threadsafe(self._pass_on, change)

    def poke(self, run: str) -> None:
        """The run itself changed. Call it on the loop."""
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

    def _pass_on(self, change: Change) -> None:
        for watcher in self._runs.get(change.run, ()):
            watcher.changed(change.device)
