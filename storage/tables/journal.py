"""The journal: an append-only file of checked frames that holds everything not sealed yet.

In: frames. Out: the same frames in order after any crash. Invariant: a frame is acknowledged only after its fsync, and
none is written before the former one is sound on disk; so at most the last one can be torn. What a failed write left
behind is cut off before anything else is written. A broken frame with a sound one after it was acknowledged once: that
is damage, never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.tables.errors import JournalCorrupt
from storage.tables.files import Files, discard
from storage.tables.frames import HEAD, MAGIC, Frame, body_length, decode_frame, encode_frame, is_sound

FILE_HEAD = b"MUSTER JOURNAL 1\n".ljust(32, b"\0")
_NAME = re.compile(r"journal-(\d{8,})\.log")


def journal_path(folder: Path, number: int) -> Path:
    """The path of a journal file."""
    return folder / f"journal-{number:08}.log"


def journal_numbers(folder: Path) -> list[int]:
    """The numbers of the journal files of a folder, ascending."""
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))


@dataclass(frozen=True, slots=True)
class Torn:
    """What follows the last sound frame: from `offset`, `length` bytes. `whole` tells that a complete frame seems to
    stand there whose checksum is wrong, which a cut write cannot leave but a power cut or a flipped bit can."""

    offset: int
    length: int
    whole: bool


class Journal:
    """The journal file being written. Made by the first append, so that a store with nothing to keep writes nothing."""

    def __init__(self, files: Files, folder: Path, number: int) -> None:
        self.number = number
        self._files = files
        self._folder = folder
        self._handle = -1
        self._length = 0
        self._unsure = False  # what follows `_length` on disk was never acknowledged and must be cut

    @property
    def length(self) -> int:
        """Bytes of sound frames, with the file's own head."""
        return self._length

    def resume(self, length: int) -> None:
        """Go on after the first `length` bytes of the file, which are sound; cut off the rest. Raises OSError."""
        self._handle = self._files.open(journal_path(self._folder, self.number))
        self._length, self._unsure = length, True
        self._cut()

    def append(self, body: Sequence[Any]) -> None:
        """Make a frame durable, given the pieces of its body. Raises OSError; the frame is then not in the journal, and
        will not be after a crash either once a later append has succeeded."""
        if self._handle < 0:
            self._create()
        if self._unsure:
            self._cut()
        frame = encode_frame(body, self.number, self._length)
        self._unsure = True
        try:
            self._files.write(self._handle, frame, self._length)
            self._files.sync(self._handle)
        except OSError:
            self._try_to_cut()
            raise
        self._unsure = False
        self._length += len(frame)

    def end(self) -> None:
        """Close the file for good: another one follows it, so nothing but sound frames may be in it. Raises OSError;
        it goes on then."""
        if self._unsure and self._handle >= 0:
            self._cut()
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            self._files.close(self._handle)
            self._handle = -1

    def _create(self) -> None:
        path = journal_path(self._folder, self.number)
        handle = self._files.create(path)
        try:
            self._files.write(handle, FILE_HEAD, 0)
            self._files.sync(handle)
            self._files.sync_folder(self._folder)
        except OSError:
            self._files.close(handle)
            discard(self._files, path)
            raise
        self._handle, self._length = handle, len(FILE_HEAD)

    def _try_to_cut(self) -> None:
        try:
            self._cut()
        except OSError:
            return  # the next append begins with it

    def _cut(self) -> None:
        if self._files.size(self._handle) != self._length:
            self._files.truncate(self._handle, self._length)
        self._files.sync(self._handle)
        self._unsure = False


def read_journal(files: Files, folder: Path, number: int) -> Iterator[tuple[int, Frame | Torn]]:
    """The frames of a journal file, each with the offset of its end; last a `Torn` if bytes follow the last sound one.

    Raises JournalCorrupt where a frame that was acknowledged is unreadable.
    """
    path = journal_path(folder, number)
    handle = files.open(path)
    try:
        yield from _Reader(files, handle, path, number).frames()
    finally:
        files.close(handle)


@dataclass(frozen=True, slots=True)
class _Reader:
    files: Files
    handle: int
    path: Path
    number: int

    def frames(self) -> Iterator[tuple[int, Frame | Torn]]:
        size, offset = self.files.size(self.handle), len(FILE_HEAD)
        if self.files.read(self.handle, offset, 0) != FILE_HEAD:
            if size > offset:
                raise JournalCorrupt(self.path, 0, "this is not the head of a journal")
            yield 0, Torn(0, size, whole=False)  # stopped while it was made: nothing was acknowledged
            return
        while offset < size:
            body = self._body(offset)
            if body is None:
                yield offset, self._torn(offset, size)
                return
            try:
                group = decode_frame(body)
            except ValueError as error:
                raise JournalCorrupt(
                    self.path, offset, f"a frame with a good checksum cannot be read ({error})"
                ) from error
            offset += HEAD + len(body)
            yield offset, group

    def _body(self, offset: int) -> bytes | None:
        head = self.files.read(self.handle, HEAD, offset)
        length = body_length(head)
        if length is None:
            return None
        body = self.files.read(self.handle, length, offset + HEAD)
        return body if len(body) == length and is_sound(head, body, self.number, offset) else None

    def _torn(self, offset: int, size: int) -> Torn:
        """What kind of rest it is. A sound frame after the broken one means that the broken one had been
        acknowledged."""
        rest = self.files.read(self.handle, size - offset, offset)
        at = rest.find(MAGIC, 1)
        while at >= 0:
            if self._body(offset + at) is not None:
                raise JournalCorrupt(self.path, offset, "an acknowledged frame is damaged, sound ones follow it")
            at = rest.find(MAGIC, at + 1)
        stated = body_length(rest[:HEAD])
        return Torn(offset, size - offset, whole=len(rest) >= HEAD and (stated is None or stated + HEAD <= len(rest)))
