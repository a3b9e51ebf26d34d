"""Writes an estate into a data folder that no server holds, through the same checks as what comes over the wire.

In: the estate, an open store, a function to tell progress. Out: how many rows were stored. Invariant: rows are judged
by `rows_from_wire` as an import's, and appended in order; what was stored by an earlier load of the same estate is
not stored twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from muster.estate.batches import Load, loads
from muster.estate.frames import Estate, estate
from muster.estate.history import Part, history, steps
from muster.estate.population import devices
from nql.catalog.model import Catalog
from storage.tables.api import Ack, Batch, Tables
from storage.tables.validate import rows_from_wire

SOURCE = "import:estate"
IN_FLIGHT = 4
MOST_DEVICES, MOST_DAYS = 20_000, 29
Progress = Callable[[float], None]  # takes a share of the whole, 0 to 1


@dataclass(frozen=True, slots=True)
class Stored:
    """What a load did: rows stored now, and how many batches were there already."""

    rows: int
    repeated: int


def planned(count: int, days: int, seed: int, now: int, connected: int = 0) -> Estate:
    """The estate of a request. Raises ValueError for sizes out of bounds."""
    if not 1 <= count <= MOST_DEVICES or not 1 <= days <= MOST_DAYS:
        raise ValueError(f"an estate has 1 to {MOST_DEVICES} devices and 1 to {MOST_DAYS} days")
    return estate(seed, tuple(devices(seed, count)), now, days, connected)


async def store(tables: Tables, catalog: Catalog, whole: Estate, progress: Progress) -> Stored:
    """Append the history of an estate. Raises what `Tables.append` raises."""
    waiting: set[asyncio.Task[Ack]] = set()
    acks: list[Ack] = []
    try:
        for load in tracked(whole, progress):
            waiting.add(asyncio.create_task(tables.append(batch_of(load, catalog, whole.now))))
            while len(waiting) > IN_FLIGHT:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                acks += await asyncio.gather(*done)
        acks += await asyncio.gather(*waiting)
    finally:
        await asyncio.gather(*waiting, return_exceptions=True)  # after a failure, the others are heard out too
    return Stored(sum(ack.rows for ack in acks), sum(ack.duplicate for ack in acks))


def tracked(whole: Estate, progress: Progress) -> Iterator[Load]:
    """The batches of an estate, telling progress as they are made."""
    total = steps(whole)

    def counted() -> Iterator[Part]:
        for number, part in enumerate(history(whole)):
            progress(min(1.0, number / total))
            yield part

    yield from loads(whole, counted())
    progress(1.0)


def batch_of(load: Load, catalog: Catalog, now: int) -> Batch:
    """The batch to append, its rows judged. Raises Refused."""
    judged = [
        rows_from_wire(catalog, table, columns, writer="import", device_uid=None, now=now)
        for table, columns in load.tables
    ]
    return Batch(SOURCE, 1, load.epoch, load.sequence, load.received, tuple(judged))
