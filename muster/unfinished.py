"""What a backup or a restore has made before all of it is whole: a folder beside the place that it is for.

In: the place. Out: a folder `.NAME.xxxxxxxx.KIND.part` to make it in, then its name. Invariants: a place has nothing or
all; what somebody who was killed left goes with the next one, never what somebody is at work on; nobody serves an empty
place beside which a restore was broken off.
"""

from __future__ import annotations

import fcntl
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from muster.errors import UsageError
from storage.tables.files import Files

Kind = Literal["backup", "restore"]
_MARK = "[0-9a-f]" * 8


@contextmanager
def part_for(files: Files, to: Path, kind: Kind) -> Iterator[Path]:
    """A path in a new folder, to be made and then given the name `to` by `finish`; the folder goes at the end. Raises
    OSError."""
    to.parent.mkdir(parents=True, exist_ok=True)
    # Whoever makes backups gives each another name; a restore that was broken off is told of until its place is taken.
    for left in to.parent.glob(f".{glob.escape(to.name) if kind == 'restore' else '*'}.{_MARK}.{kind}.part"):
        _remove_left(files, left)
    part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.{kind}.part")
    part.mkdir(mode=0o700)
    handle = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _locked(handle)
        yield part / "whole"
    finally:
        try:
            _remove(files, part)
        finally:
            os.close(handle)


def finish(files: Files, whole: Path, to: Path) -> None:
    """Give what is whole and durable its name, durably, unless somebody took that meanwhile. Raises OSError."""
    if os.path.lexists(to) and not to.is_dir():
        raise FileExistsError(f"{to} is there already")
    files.rename(whole, to)  # over an empty folder at most
    files.sync_folder(to.parent)


def check_restored(data: Path) -> None:
    """Raises UsageError where a restore into a folder was broken off, or is under way: what would be made there now
    would be a new portal, which no device knows."""
    if data.is_dir() and any(data.iterdir()):
        return
    for left in data.absolute().parent.glob(f".{glob.escape(data.absolute().name)}.{_MARK}.restore.part"):
        raise UsageError(
            f"A restore into {data} is not finished: {left} is what there is of it.",
            "If nobody is at it, restore again; or remove that folder, and a new portal is made.",
            "restore_unfinished",
        )


def _remove_left(files: Files, left: Path) -> None:
    """Remove what somebody left who is gone; who is there has the lock of it."""
    try:
        handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if _locked(handle):
            _remove(files, left)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Whether a folder is ours now; never where the file system knows no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(files: Files, folder: Path) -> None:
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:
        if path.is_dir() and not path.is_symlink():
            files.remove_folder(path)
        else:
            files.remove(path)
