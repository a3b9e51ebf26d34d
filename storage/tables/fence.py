"""Who may write to a folder: the holder of a lease that has to be renewed.

In: renewals, and every operation that would change a file. Out: the operation, or OSError. Invariant: an operation that
begins after the lease is over by this process's own clock changes nothing, also if the process slept meanwhile; the
lock of the folder closes what remains between the look and the write, where processes share a machine or a volume with
such locks.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path

from storage.tables.files import Files

Monotonic = Callable[[], float]


class Fence:
    """Open until an instant that is put off by each renewal."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until = float("-inf")

    def now(self) -> float:
        """The instant, in seconds, that a renewal which is asked for now counts from."""
        return self._monotonic()

    def renewed(self, asked: float, lasts: float) -> None:
        """The lease was renewed for `lasts` seconds, asked for at an instant of `now`."""
        self._until = asked + lasts

    def shut(self) -> None:
        """Nothing is written any more."""
        self._until = float("-inf")

    @property
    def open(self) -> bool:
        """Whether something may be written."""
        return self._monotonic() < self._until

    def check(self) -> None:
        """Raises OSError where nothing may be written."""
        if not self.open:
            raise OSError(errno.EROFS, "this process does not hold the lease of the tables now")


class FencedFiles(Files):
    """The file system behind a fence."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    def create(self, path: Path) -> int:
        self._fence.check()
        return super().create(path)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> None:
        self._fence.check()
        super().write(handle, data, offset)

    def truncate(self, handle: int, length: int) -> None:
        self._fence.check()
        super().truncate(handle, length)

    def sync(self, handle: int) -> None:
        super().sync(handle)
        self._fence.check()  # what became durable too late is not acknowledged: another may have taken the journal over

    def rename(self, source: Path, target: Path) -> None:
        self._fence.check()
        super().rename(source, target)

    def link(self, path: Path, another: Path) -> None:
        self._fence.check()
        super().link(path, another)

    def remove(self, path: Path) -> None:
        self._fence.check()
        super().remove(path)

    def remove_folder(self, path: Path) -> None:
        self._fence.check()
        super().remove_folder(path)

    def make_folder(self, path: Path) -> None:
        if not path.is_dir():
            self._fence.check()
        super().make_folder(path)
