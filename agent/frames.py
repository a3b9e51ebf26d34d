"""An append-only file of records, each with its length and checksum.

In: records as bytes. Out: the same, in order, as far as they are whole. Invariants: `append` returns when the record
is on the disk; reading stops at the first record that is torn or does not match its checksum, and what follows is cut
off before the next append, so that no record is ever made of two halves. What a record means is the matter of
`journal` and `outbox`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from agent import files

HEAD = 8  # length and CRC-32, four bytes each
LARGEST = 1 << 24


class FrameFile:
    """One such file, open for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        fresh = not path.exists()
        self._descriptor = files.open_private(path, os.O_RDWR | os.O_CREAT)
        self.size = self._whole()
        os.ftruncate(self._descriptor, self.size)
        if fresh:
            files.sync_folder(path.parent)

    def append(self, record: bytes) -> int:
        """Store a record durably and return where it begins. Raises OSError, and then nothing was stored."""
        if len(record) > LARGEST:
            raise ValueError(f"a record of {len(record)} bytes is too large")
        start, data = self.size, frame(record)
        try:
            written = os.pwrite(self._descriptor, data, start)
            if written != len(data):
                raise OSError(28, "no space left for a whole record")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, start)
            raise
        self.size = start + len(data)
        return start

    def read(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Records from a place where one begins, each with the place where it ends."""
        while (record := self._at(start)) is not None:
            start += HEAD + len(record)
            yield start, record

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _whole(self) -> int:
        end = 0
        while (record := self._at(end)) is not None:
            end += HEAD + len(record)
        return end

    def _at(self, start: int) -> bytes | None:
        head = os.pread(self._descriptor, HEAD, start)
        length = int.from_bytes(head[:4], "big")
        if len(head) < HEAD or not 0 < length <= LARGEST:
            return None
        record = os.pread(self._descriptor, length, start + HEAD)
        whole = len(record) == length and zlib.crc32(record) == int.from_bytes(head[4:], "big")
        return record if whole else None


def frame(record: bytes) -> bytes:
    """A record as it lies in the file."""
    return len(record).to_bytes(4, "big") + zlib.crc32(record).to_bytes(4, "big") + record
