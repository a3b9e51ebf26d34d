"""Telemetry on its way to the portal: batches that wait on the disk until the portal has stored them.

In: the sealed bytes of a batch, made for the sequence number it gets. Out: the oldest batch, by lease; commit removes
it, rollback leaves it. Invariants: one lease at a time and in order; a committed batch never comes back but after a
crash, when the portal knows it by (epoch, sequence); a number is never used for two contents. The folder is bounded:
beyond `most_bytes` the oldest file goes and what it held is counted. Reports never lie here (`journal`).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent import files, frames, wire

FILE_BYTES = 1 << 20
MOST_BYTES = 64 << 20


class _Mark(msgspec.Struct):
    epoch: str
    leased: int = 0  # the greatest number that was ever handed out
    committed: int = 0
    dropped: int = 0


class _Record(msgspec.Struct, frozen=True, array_like=True):
    sequence: int
    payload: bytes


_decoder = msgspec.msgpack.Decoder(_Record)


class Outbox:
    """The outbox of one state folder. Not for two threads at once."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, file_bytes: int = FILE_BYTES) -> None:
        self._folder = files.private_folder(folder)
        self._most, self._file_bytes = most_bytes, file_bytes
        self._mark = self._read_mark()
        self._sizes: dict[int, int] = {}  # bytes by the number of the first record
        self._waiting: dict[int, tuple[int, int]] = {}  # record -> (file, place)
        self._open: frames.FrameFile | None = None
        last = max(self._mark.leased, self._mark.committed)
        for path in sorted(self._folder.glob("*.log")):
            last = max(last, self._index(path))
        self._next = last + 1
        self._lease: int | None = None

    @property
    def epoch(self) -> str:
        """The stream that sequence numbers count in."""
        return self._mark.epoch

    @property
    def dropped(self) -> int:
        """How many batches had to make room since the folder was made."""
        return self._mark.dropped

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, seal: Callable[[str, int], bytes]) -> int:
        """Store the batch that `seal(epoch, sequence)` makes, durably; its number. Raises OSError, and then nothing is
        stored."""
        sequence = self._next
        record = msgspec.msgpack.encode(_Record(sequence, seal(self.epoch, sequence)))
        file = self._current(sequence)
        first = int(file.path.stem)
        place = file.append(record)
        self._waiting[sequence] = (first, place)
        self._sizes[first] = file.size
        self._next += 1
        self._make_room()
        return sequence

    def lease(self) -> tuple[int, bytes] | None:
        """The oldest batch with its number, None if there is none or one is out already."""
        while self._lease is None and self._waiting:
            sequence = min(self._waiting)
            payload = self._load(sequence)
            if payload is None:  # the disk gave it back damaged
                self._forget(sequence)
                self._mark.dropped += 1
                continue
            self._lease = sequence
            if sequence > self._mark.leased:
                self._mark.leased = sequence
                # Durable before anybody sees the number: after a power cut it must not come to name another content,
                # by which the portal would take this device for two.
                files.replace(self._folder / "mark", wire.encode(self._mark))
            return sequence, payload
        return None

    def commit(self, sequence: int) -> None:
        """The portal has it (or will never take it): remove it."""
        if self._lease == sequence:
            self._lease = None
            self._mark.committed = sequence
            self._forget(sequence)
            self._write_mark()

    def rollback(self, sequence: int) -> None:
        """The portal has it not: it is the oldest again."""
        if self._lease == sequence:
            self._lease = None

    def shed(self) -> bool:
        """Drop the oldest file to make room on the disk; False if there is none."""
        if not self._sizes:
            return False
        self._drop(min(self._sizes))
        return True

    def close(self) -> None:
        """Let go of the files."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _read_mark(self) -> _Mark:
        try:
            return msgspec.json.decode((self._folder / "mark").read_bytes(), type=_Mark)
        except (OSError, msgspec.MsgspecError):
            mark = _Mark(str(uuid.uuid4()))  # without a mark the numbers begin anew, in a new stream
            files.replace(self._folder / "mark", wire.encode(mark))
            return mark

    def _write_mark(self) -> None:
        # Not synced: an older mark costs a batch sent twice, which the portal knows by its number.
        part = self._folder / "mark.new"
        descriptor = files.open_private(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(descriptor, wire.encode(self._mark))
        finally:
            os.close(descriptor)
        part.replace(self._folder / "mark")

    def _index(self, path: Path) -> int:
        file, first, last = frames.FrameFile(path), int(path.stem), 0
        place = 0
        for end, data in file.read():
            last = _decoder.decode(data).sequence
            if last > self._mark.committed:
                self._waiting[last] = (first, place)
            place = end
        self._sizes[first] = file.size
        file.close()
        if not any(one == first for one, _ in self._waiting.values()):
            self._remove(first)
        return last

    def _current(self, sequence: int) -> frames.FrameFile:
        if self._open is not None and self._open.size >= self._file_bytes:
            self.close()
        if self._open is None:
            self._open = frames.FrameFile(self._folder / f"{sequence:016d}.log")
        return self._open

    def _load(self, sequence: int) -> bytes | None:
        first, place = self._waiting[sequence]
        current = self._open is not None and int(self._open.path.stem) == first
        file = self._open if current and self._open is not None else frames.FrameFile(self._name(first))
        try:
            found = next(file.read(place), None)
        finally:
            if not current:
                file.close()
        if found is None or (record := _decoder.decode(found[1])).sequence != sequence:
            return None
        return record.payload

    def _forget(self, sequence: int) -> None:
        first, _ = self._waiting.pop(sequence)
        if not any(one == first for one, _ in self._waiting.values()):
            self._remove(first)

    def _make_room(self) -> None:
        while sum(self._sizes.values()) > self._most and len(self._sizes) > 1:
            self._drop(min(self._sizes))

    def _drop(self, first: int) -> None:
        gone = [sequence for sequence, (one, _) in self._waiting.items() if one == first and sequence != self._lease]
        for sequence in gone:
            del self._waiting[sequence]
        self._mark.dropped += len(gone)
        if self._lease is not None and self._lease in self._waiting and self._waiting[self._lease][0] == first:
            del self._waiting[
                self._lease
            ]  # it is in memory with whoever sends it; if that fails it is lost, and counted
            self._mark.dropped += 1
            self._lease = None
        self._remove(first)
        self._write_mark()

    def _remove(self, first: int) -> None:
        if self._open is not None and int(self._open.path.stem) == first:
            self.close()
        self._sizes.pop(first, None)
        self._name(first).unlink(missing_ok=True)

    def _name(self, first: int) -> Path:
        return self._folder / f"{first:016d}.log"
