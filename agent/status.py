"""One agent a state folder, and what it says of itself to whoever stands beside it.

In: the folder. Out: a lock that lasts as long as the process, a small file of figures. Invariant: two agents never
run on one folder, since they would start an order twice; a lock left by a killed agent is free at once.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from agent import files, wire

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]


class BusyError(Exception):
    """Another agent runs on this folder; `pid` is its process if known."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"another agent runs on this folder (process {pid or 'unknown'})")
        self.pid = pid


EVERY = 60_000_000  # microseconds between two notes, unless there is news


class Facts(msgspec.Struct, frozen=True):
    """How an agent stands: the portal's time it was noted, whether the channel is up, what waits, and why the portal
    holds it back."""

    time: int
    connected: bool
    running: int
    unsent_reports: int
    batches: int
    dropped_batches: int
    held: str | None = None


def hold(folder: Path) -> int:
    """Take the folder for this process; the descriptor to keep. Raises BusyError."""
    descriptor = files.open_private(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise BusyError(pid) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def let_go(descriptor: int) -> None:
    """Give the folder back before the process ends."""
    os.close(descriptor)


class Notes:
    """Leaves the figures for others to read; a full disk is no reason to stop."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "status.json"
        self._last: Facts | None = None

    def take(self, facts: Facts) -> None:
        """Leave them, if the last are old or there is news."""
        last = self._last
        if last is not None and facts.held == last.held and 0 <= facts.time - last.time < EVERY:
            return
        self._last = facts
        with contextlib.suppress(OSError):
            files.replace(self._path, wire.encode(facts))


def read(folder: Path) -> Facts | None:
    """The figures last left, None if there are none."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / "status.json").read_bytes(), type=Facts)
    return None
