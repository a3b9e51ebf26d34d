"""Rows on their way to the portal, and how they become batches.

In: records of collectors. Out: columns of equal length, and sealed batches within the bounds of `agent.wire`.
Invariants: rows of an object table stay together (the portal takes them for the device's whole set); only event
tables are split; a sealed batch never changes, so that a repeated one is the same.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from msgspec import Raw

from agent import wire

BATCH_ROWS = 10_000  # what we put into one; the bound of the wire is higher


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one catalog table by stored column."""

    table: str
    columns: Mapping[str, list[Any]]

    @property
    def count(self) -> int:
        """How many rows."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def events(self) -> bool:
        """Whether rows are independent of each other, so that they may go in different batches."""
        return "time" in self.columns or "start_time" in self.columns

    def part(self, start: int, end: int) -> Rows:
        """Some of the rows."""
        return Rows(self.table, {name: values[start:end] for name, values in self.columns.items()})


def rows(table: str, names: Sequence[str], records: Iterable[Sequence[Any]]) -> Rows:
    """Rows from records whose values stand in the order of the names. A column of which nothing is known is left out,
    since telling it would empty what is known elsewhere."""
    columns = [list(values) for values in zip(*records, strict=True)] or [[] for _ in names]
    told = zip(names, columns, strict=True)
    return Rows(table, {name: values for name, values in told if not values or any(one is not None for one in values)})


def batches(found: Iterable[Rows], most: int = BATCH_ROWS) -> Iterator[list[Rows]]:
    """The rows in groups that each make one batch, in their order."""
    group: list[Rows] = []
    size = 0
    for item in found:
        step = most if item.events else max(item.count, 1)
        for start in range(0, max(item.count, 1), step):
            part = item if item.count <= step else item.part(start, start + step)
            if group and size + part.count > most:
                yield group
                group, size = [], 0
            group.append(part)
            size += part.count
    if group:
        yield group


def seal(group: Sequence[Rows], epoch: str, sequence: int) -> bytes:
    """The batch as it is stored and sent."""
    tables = wire.encode([wire.Columns(item.table, dict(item.columns)) for item in group])
    batch = wire.Batch(epoch, sequence, sha256(tables).digest(), Raw(tables))
    return gzip.compress(wire.encode(batch), 6, mtime=0)
