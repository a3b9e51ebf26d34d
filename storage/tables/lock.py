"""One process at a time holds a store's folder.

The lock is the kernel's lock on the open file `lock`, so that it is gone the instant its process is, however that died;
the file's text only tells people who it was. Invariant: the file is never removed, because a lock on a removed file
excludes nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path

from storage.tables.errors import Holder, LockHeld


class FolderLock:
    """A held lock. Released by `release` or with the process."""

    def __init__(self, folder: Path, now: int) -> None:
        """Take the lock of a folder. Raises LockHeld."""
        self._handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(self._handle)
            os.close(self._handle)
            raise LockHeld(folder, holder) from None
        _write(self._handle, Holder(os.getpid(), Path(sys.argv[0]).name or "python", now))

    def release(self) -> None:
        """Let go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _read(handle: int) -> Holder:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return Holder(int(told["pid"]), str(told["program"]), int(told["since"]))
    except (ValueError, KeyError, TypeError, OSError):
        return Holder()


def _write(handle: int, holder: Holder) -> None:
    """Say who holds it. A full disk must not keep the store from answering queries, so failing to say is no error."""
    text = json.dumps({"pid": holder.pid, "program": holder.program, "since": holder.since}).encode()
    try:
        os.pwrite(handle, text, 0)
        os.ftruncate(handle, len(text))
    except OSError:
        return
