"""The history as batches: the unit that a store acknowledges, small enough for the wire.

In: parts of a history. Out: batches as decoded from the wire (`Load`): tables with columns of plain values, named by
an epoch and a sequence. Invariant: the same estate gives the same batches under the same names, so that a load which
was cut off is taken up again by loading it once more: what is stored already is acknowledged as a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
import polars as pl

from muster.estate.dice import Dice, word
from muster.estate.frames import Estate
from muster.estate.history import Part

CELLS = 400_000  # values in one batch: under 8 MiB as JSON
ROWS = 20_000
Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Load:
    """One batch. `received` is when its rows would have come in, microseconds UTC."""

    epoch: str
    sequence: int
    received: int
    tables: tuple[tuple[str, Columns], ...]

    @property
    def rows(self) -> int:
        """How many rows of all tables."""
        return sum(len(next(iter(columns.values()))) for _, columns in self.tables)


def epoch_of(estate: Estate) -> str:
    """What names all batches of one estate: a UUID made from what decides its content."""
    return Dice(word("epoch", estate.seed, len(estate.everybody), estate.days, estate.connected, estate.now)).uid(
        "epoch"
    )


def loads(estate: Estate, parts: Iterable[Part]) -> Iterator[Load]:
    """The batches of a history, in order. Parts that were received at the same time share a batch as far as it has
    room."""
    epoch, sequence = epoch_of(estate), 0
    waiting: list[tuple[str, Columns]] = []
    received = cells = rows = 0
    for part in parts:
        for piece in _pieces(part.rows):
            size, count = piece.height * piece.width, piece.height
            if waiting and (part.received != received or cells + size > CELLS or rows + count > ROWS):
                sequence += 1
                yield Load(epoch, sequence, received, tuple(waiting))
                waiting, cells, rows = [], 0, 0
            waiting.append((part.table, {name: column.to_list() for name, column in piece.to_dict().items()}))
            received, cells, rows = part.received, cells + size, rows + count
    if waiting:
        yield Load(epoch, sequence + 1, received, tuple(waiting))


def digest(batches: Iterable[Load]) -> str:
    """SHA-256 over everything that is stored, for comparing two estates."""
    whole = sha256()
    for batch in batches:
        whole.update(msgspec.json.encode(batch))
    return whole.hexdigest()


def _pieces(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    if rows.height:
        yield from rows.iter_slices(min(ROWS, CELLS // max(1, rows.width)))
