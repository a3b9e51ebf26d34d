# ruff: noqa: N818 - named for what happened, as their callers speak of it
"""What can go wrong in the table store, one class for each thing a caller would treat differently.

`Refused` is the sender's fault and final; `StorageFull` passes when there is room again; `StorageFailed` is the disk's
or our fault; the `Corrupt` family names the file that does not hold what was written to it. Invariant: after any of
them nothing was acknowledged that is not stored, and nothing stored is shown wrong.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path

_DAY = r"(\d{4}-\d\d-\d\d)"
_ROWS = re.compile(rf"(?:segments|rollups)/([^/]+?)-{_DAY}-[^/]+$|lake/([^/]+)/day={_DAY}/[^/]+$")


class StoreError(Exception):
    """Anything the table store reports."""


class Refused(StoreError):
    """Rows that break the schema, a bound or the writer's rights. Nothing of the batch is stored; sending it again will
    not help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StorageFailed(StoreError):
    """The batch could not be made durable and is not stored. Sending it again may help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StorageFull(StorageFailed):
    """There is no room on the disk (or for unsealed rows). Queries go on; appends succeed again once there is room."""


class Unsure(StorageFailed):
    """The disk does not say which manifest is valid. Nothing more is written until the folder is opened anew."""


class Closed(StoreError):
    """The store was closed."""


class WrongZone(StoreError):
    """The folder was made with another instance zone, which is fixed for its life."""


class FormatTooNew(StoreError):
    """The folder was written by a newer version of the program."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a folder: process id, program, and since when (microseconds UTC). Zeros and blanks where the lock does
    not say."""

    pid: int = 0
    program: str = ""
    since: int = 0


class LockHeld(StoreError):
    """Another process has the folder open."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        who = f"process {holder.pid} ({holder.program})" if holder.pid else "another process"
        super().__init__(f"{folder} is in use by {who}")
        self.folder = folder
        self.holder = holder


class Corrupt(StoreError):
    """A file does not hold what was written to it."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


class ManifestCorrupt(Corrupt):
    """The manifest is unreadable or its digest is wrong."""


class JournalCorrupt(Corrupt):
    """An acknowledged frame of the journal is unreadable. `offset` is where it begins; what lies before it is sound."""

    def __init__(self, path: Path, offset: int, detail: str) -> None:
        super().__init__(path, f"{detail} at byte {offset}")
        self.offset = offset


class SegmentCorrupt(Corrupt):
    """A sealed file is missing, or its digest is wrong."""

    @property
    def holds(self) -> str:
        """Which rows it held, by its name: `execution.events of 2026-11-22`; empty if it held no rows."""
        return _held_by(self.path)


class LakeAway(StoreError):
    """A sealed file lies only in the lake, which does not give it now: it does not answer, or there is no room here.
    Asking again later helps."""

    def __init__(self, path: Path, url: str, detail: str) -> None:
        super().__init__(detail)
        self.path = path
        self.url = url
        self.detail = detail

    @property
    def holds(self) -> str:
        """Which rows it holds, as `SegmentCorrupt.holds`."""
        return _held_by(self.path)


class WrongLake(StoreError):
    """An address is not that of this folder's lake, or another's."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _held_by(path: Path) -> str:
    found = _ROWS.search(path.as_posix())
    return "" if found is None else f"{found[1] or found[3]} of {found[2] or found[4]}"


def failure(error: OSError) -> StorageFailed:
    """The error a caller sees for what the operating system said."""
    reason = error.strerror or str(error)
    if error.errno in _NO_ROOM:
        return StorageFull(f"no room to store rows: {reason}")
    return StorageFailed(f"cannot store rows: {reason}")
