"""Files of the agent's state folder: private, and whole or not there.

In: paths and bytes. Out: bytes. Invariants: folders are made with mode 0700 and files with 0600; a replaced file
appears whole, is on the disk when the function returns, and is never a link that somebody else laid there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class UnsafeFolderError(Exception):
    """The state folder belongs to somebody else or is open to others."""


def private_folder(path: Path) -> Path:
    """The folder, made if need be. Raises UnsafeFolderError if others may look into or write to it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFolderError(f"{path} is not a folder")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise UnsafeFolderError(f"{path} belongs to another account")
    if os.name == "posix" and found.st_mode & 0o077:
        raise UnsafeFolderError(f"{path} is open to other accounts: chmod 700 it")
    return path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that only its owner may read; no link is followed."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)


def replace(path: Path, data: bytes) -> None:
    """Put `data` in place of the file's content, durably."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = open_private(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make names that were added to or removed from a folder durable."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
