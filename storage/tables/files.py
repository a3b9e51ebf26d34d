"""Every operation the store does on files, one thin method each, so that tests can make any of them fail.

Invariant: nothing in the store touches the disk for writing but through here; a method either did its whole work or
raised OSError (then the work may or may not have been done, and callers must cope with both). Reading sealed files is
not here: it is checked by digests instead. The fake that fails or loses power at the n-th operation is
`storage.tables.fakes.FaultyFiles`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Files:
    """The file system as it is."""

    def make_folder(self, path: Path) -> None:
        """Make a folder, and its parents, if it is not there."""
        path.mkdir(parents=True, exist_ok=True)

    def create(self, path: Path) -> int:
        """A new, empty file open for writing; one that is there is emptied."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)

    def open(self, path: Path) -> int:
        """A file that is there, open for reading and writing."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> None:
        """Write all of `data` at an offset."""
        rest = memoryview(data).cast("B")
        while rest:
            done = os.pwrite(handle, rest, offset)
            rest, offset = rest[done:], offset + done

    def read(self, handle: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes at an offset, fewer only at the end of the file."""
        pieces: list[bytes] = []
        while length > 0 and (piece := os.pread(handle, min(length, 1 << 30), offset)):
            pieces.append(piece)
            length, offset = length - len(piece), offset + len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def size(self, handle: int) -> int:
        """The length of an open file."""
        return os.fstat(handle).st_size

    def truncate(self, handle: int, length: int) -> None:
        """Cut a file to a length."""
        os.ftruncate(handle, length)

    def sync(self, handle: int) -> None:
        """Make a file's bytes and length durable."""
        os.fdatasync(handle)

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def close(self, handle: int) -> None:
        """Close a file."""
        os.close(handle)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, replacing what has it."""
        source.replace(target)

    def link(self, path: Path, another: Path) -> None:
        """Give a file a second name, which nothing has."""
        os.link(path, another)

    def remove(self, path: Path) -> None:
        """Remove a file; no error if it is gone."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()


def discard(files: Files, path: Path) -> None:
    """Remove a file that is of no more use, now if possible; otherwise the next opening of the store does it."""
    with contextlib.suppress(OSError):
        files.remove(path)


def write_whole(files: Files, path: Path, data: bytes) -> None:
    """Write a new durable file; the caller makes its name durable."""
    handle = files.create(path)
    try:
        files.write(handle, data, 0)
        files.sync(handle)
    finally:
        files.close(handle)
