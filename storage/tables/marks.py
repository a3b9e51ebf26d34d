"""Which batches have been stored, so that one sent again is recognised.

For each source, of its present generation only: for each epoch, the stored sequences as ranges; an honest sender leaves
one range. Invariant: memory is bounded whatever a source sends; a batch is called a duplicate only if it was stored.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

import msgspec

from storage.tables.errors import Refused

MAX_EPOCHS = 64  # of one source; the one unused for longest is forgotten first
MAX_RANGES = 1024  # of one epoch


class SourceMarks(msgspec.Struct):
    """The marks of one source: ranges `[first, last]` by epoch, the epoch used last at the end."""

    generation: int
    epochs: dict[str, list[list[int]]]


_codec = msgspec.json.Decoder(dict[str, SourceMarks])


class Marks:
    """All marks. `dirty` tells that they changed since they were written."""

    __slots__ = ("_sources", "dirty")

    def __init__(self) -> None:
        self._sources: dict[str, SourceMarks] = {}
        self.dirty = False

    def seen(self, source: str, generation: int, epoch: str, sequence: int, *, first: int | None = None) -> bool:
        """Whether the batch is stored. Raises Refused for a superseded generation, or an epoch with too many holes."""
        first = sequence if first is None else first
        marks = self._sources.get(source)
        if marks is None or generation > marks.generation:
            return False
        if generation < marks.generation:
            raise Refused(f"generation {generation} of {source} has been followed by {marks.generation}")
        ranges = marks.epochs.get(epoch, [])
        at = bisect_right(ranges, sequence, key=lambda item: item[0]) - 1
        if at >= 0 and sequence <= ranges[at][1]:
            return True
        if len(ranges) >= MAX_RANGES and not first <= ranges[-1][1] + 1 <= sequence:
            raise Refused(f"the sequence of {source} has more than {MAX_RANGES} holes")
        return False

    def add(self, source: str, generation: int, epoch: str, sequence: int, *, first: int | None = None) -> None:
        """Mark a batch as stored, and with it the numbers from `first` on that it stands for."""
        self.dirty = True
        marks = self._sources.get(source)
        if marks is None or marks.generation < generation:
            marks = self._sources[source] = SourceMarks(generation, {})
        ranges = marks.epochs.pop(epoch, [])
        marks.epochs[epoch] = ranges
        if len(marks.epochs) > MAX_EPOCHS:
            del marks.epochs[next(iter(marks.epochs))]
        _insert(ranges, sequence if first is None else first, sequence)

    def forget(self, source: str) -> None:
        """A source is erased."""
        self.dirty = self._sources.pop(source, None) is not None or self.dirty

    def reached(self, source: str) -> dict[str, int]:
        """The last number of each epoch of a source."""
        marks = self._sources.get(source)
        return {} if marks is None else {epoch: ranges[-1][1] for epoch, ranges in marks.epochs.items() if ranges}

    def encode(self) -> bytes:
        """The marks as JSON."""
        return msgspec.json.encode(self._sources)

    def load(self, data: bytes) -> None:
        """Take over marks from JSON. Raises msgspec.DecodeError."""
        self._sources = _codec.decode(data)
        self.dirty = False

    def ranges(self) -> Mapping[str, SourceMarks]:
        """All marks, for reading."""
        return self._sources


def _insert(ranges: list[list[int]], first: int, last: int) -> None:
    """Add numbers to sorted, disjoint, non-adjacent ranges."""
    begin = bisect_left(ranges, first - 1, key=lambda item: item[1])  # the ranges that it meets, from here
    end = bisect_right(ranges, last + 1, key=lambda item: item[0])
    if begin < end:
        first, last = min(first, ranges[begin][0]), max(last, ranges[end - 1][1])
    ranges[begin:end] = [[first, last]]
