"""Which batches have been stored, so that one sent again is recognised.

For each source, of its present generation only: for each epoch, the stored sequences as ranges; an honest sender leaves
one range. Invariant: memory is bounded whatever a source sends; a batch is called a duplicate only if it was stored;
what is known of a source is never changed but replaced, so that all of it can be kept as it was.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from itertools import islice

import msgspec

from storage.tables.errors import Refused

MAX_EPOCHS = 64  # of one source; the one unused for longest is forgotten first
MAX_RANGES = 1024  # of one epoch


class SourceMarks(msgspec.Struct, frozen=True):
    """The marks of one source: ranges `[first, last]` by epoch, the epoch used last at the end."""

    generation: int
    epochs: dict[str, list[list[int]]]


_PIECE = 2_048  # sources
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
        if not ranges or ranges[-1][1] + 1 == first:  # what an honest sender sends next
            return False
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
            marks = SourceMarks(generation, {})
        epochs = dict(marks.epochs)
        epochs[epoch] = _with(epochs.pop(epoch, []), sequence if first is None else first, sequence)
        if len(epochs) > MAX_EPOCHS:
            del epochs[next(iter(epochs))]
        self._sources[source] = SourceMarks(marks.generation, epochs)

    def forget(self, source: str) -> None:
        """A source is erased."""
        self.dirty = self._sources.pop(source, None) is not None or self.dirty

    def reached(self, source: str) -> dict[str, int]:
        """The last number of each epoch of a source."""
        marks = self._sources.get(source)
        return {} if marks is None else {epoch: ranges[-1][1] for epoch, ranges in marks.epochs.items() if ranges}

    def saved(self) -> Mapping[str, SourceMarks]:
        """All marks, as they stay whatever comes."""
        return dict(self._sources)

    def load(self, data: bytes) -> None:
        """Take over marks from JSON. Raises msgspec.DecodeError."""
        self._sources = _codec.decode(data)
        self.dirty = False

    def ranges(self) -> Mapping[str, SourceMarks]:
        """All marks, for reading."""
        return self._sources


def encode(marks: Mapping[str, SourceMarks]) -> bytes:
    """Marks as JSON, made by pieces: each holds up all other threads while it is."""
    known = iter(marks.items())
    pieces = iter(lambda: dict(islice(known, _PIECE)), {})
    return b"{" + b",".join(msgspec.json.encode(piece)[1:-1] for piece in pieces) + b"}"


def _with(ranges: list[list[int]], first: int, last: int) -> list[list[int]]:
    """Numbers added to sorted, disjoint, non-adjacent ranges."""
    if ranges and ranges[-1][1] + 1 == first:
        return [*ranges[:-1], [ranges[-1][0], last]]
    begin = bisect_left(ranges, first - 1, key=lambda item: item[1])  # the ranges that it meets, from here
    end = bisect_right(ranges, last + 1, key=lambda item: item[0])
    if begin < end:
        first, last = min(first, ranges[begin][0]), max(last, ranges[end - 1][1])
    return [*ranges[:begin], [first, last], *ranges[end:]]
