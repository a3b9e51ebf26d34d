"""A history of what writers sent and were told and of what readers saw, and whether the reads can be explained.

In: notes, from any thread, in the order of things. Out of `problems`: a sentence for everything that no sound store
could have answered. Invariant: it knows nothing of the store; a read is explained if it has, once, every row that was
acknowledged before it began or that a read before it saw, and no row that nobody had sent by its end, whole batches
only; after an erasure that was told nothing of the erased is seen.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(eq=False)
class Write:
    """A batch of rows that have their numbers from all others. `stored` is None as long as nobody was told."""

    writer: str
    rows: frozenset[int]
    sent: int
    told: int | None = None
    stored: bool | None = None


@dataclass(frozen=True)
class Read:
    """The rows that a reader saw, and up to when the answer was said to be complete."""

    reader: str
    began: int
    ended: int
    rows: Sequence[int]
    complete_until: int


@dataclass(eq=False)
class Erasure:
    """All rows of a writer are to go that were sent before it was told."""

    writer: str
    asked: int
    told: int | None = None


class History:
    """What happened, numbered in its order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clock = 0
        self.writes: list[Write] = []
        self.reads: list[Read] = []
        self.erasures: list[Erasure] = []

    def now(self) -> int:
        """The next instant; a reader takes it before it asks."""
        with self._lock:
            self._clock += 1
            return self._clock

    def sends(self, writer: str, rows: Sequence[int]) -> Write:
        """A batch is about to be sent; one that is sent again is the same write."""
        write = Write(writer, frozenset(rows), self.now())
        self.writes.append(write)
        return write

    def told(self, write: Write, *, stored: bool) -> None:
        """A writer was told that its batch is stored, or that it never will be."""
        write.stored, write.told = stored, self.now()

    def saw(self, reader: str, began: int, rows: Sequence[int], complete_until: int = 0) -> None:
        """A reader got its answer."""
        self.reads.append(Read(reader, began, self.now(), rows, complete_until))

    def erases(self, writer: str) -> Erasure:
        """An erasure is about to be asked for."""
        erasure = Erasure(writer, self.now())
        self.erasures.append(erasure)
        return erasure

    def erased(self, erasure: Erasure) -> None:
        """It was said to be done."""
        erasure.told = self.now()

    def problems(self) -> Iterator[str]:
        """What cannot be explained."""
        seen: set[int] = set()  # by reads that ended before this one began
        ended: list[Read] = []
        by_end = sorted(self.reads, key=lambda one: one.ended)
        for read in sorted(self.reads, key=lambda one: one.began):
            while by_end and by_end[0].ended < read.began:
                ended.append(by_end.pop(0))
                seen |= set(ended[-1].rows)
            yield from self._of(read, seen)
            latest = max((one.complete_until for one in ended), default=0)
            if read.complete_until < latest:
                yield f"{_name(read)} is complete until {read.complete_until}, an answer before it until {latest}"

    def _of(self, read: Read, seen: set[int]) -> Iterator[str]:
        counts = Counter(read.rows)
        doubled = sorted(row for row, times in counts.items() if times > 1)
        if doubled:
            yield f"{_name(read)} has rows more than once: {_few(doubled)}"
        sent: set[int] = set()
        for write in self.writes:
            if write.sent < read.ended and write.stored is not False:
                sent |= write.rows
            yield from self._of_write(read, write, write.rows & counts.keys(), write.rows & seen)
        if unknown := counts.keys() - sent:
            yield f"{_name(read)} has rows that nobody had sent: {_few(sorted(unknown))}"

    def _of_write(self, read: Read, write: Write, there: frozenset[int], before: frozenset[int]) -> Iterator[str]:
        gone = [one for one in self.erasures if one.writer == write.writer and one.asked < read.ended]
        if there and there != write.rows:
            yield f"{_name(read)} has half a batch of {write.writer}: {_few(sorted(write.rows - there))} are missing"
        if not there and not any(one.told is None or write.sent < one.told for one in gone):
            if write.stored and write.told is not None and write.told < read.began:
                yield f"{_name(read)} lacks acknowledged rows of {write.writer}: {_few(sorted(write.rows))}"
            elif before:
                yield f"{_name(read)} lacks rows of {write.writer} that were seen before: {_few(sorted(before))}"
        if there and any(one.told is not None and one.told < read.began and _was_over(write, one) for one in gone):
            yield f"{_name(read)} has erased rows of {write.writer}: {_few(sorted(there))}"


def _was_over(write: Write, erasure: Erasure) -> bool:
    """Whether a batch had been answered before its writer's erasure was asked for."""
    return write.told is not None and write.told < erasure.asked


def _name(read: Read) -> str:
    return f"the read of {read.reader} at {read.began}"


def _few(rows: Sequence[int]) -> str:
    return f"{list(rows[:5])}{f' and {len(rows) - 5} more' if len(rows) > 5 else ''}"
