"""Batches that come at about the same time, encoded together and yet judged one by one.

In: batches in the order of arrival, and the state before them. Out: one frame of those that can be stored, and what
each is told: an acknowledgement, which counts when the frame is durable, or the reason against it. Invariant: a batch
is refused for what is in it alone, whoever it came with. Nothing is written here, and nothing applied.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.tables.encode import encode
from storage.tables.errors import StorageFailed, StoreError
from storage.tables.frames import Frame, Prepared
from storage.tables.rows import Ack, Batch
from storage.tables.state import State

log = logging.getLogger(__name__)
Outcome = Ack | StoreError
Name = tuple[str, int, str, int]


@dataclass(slots=True)
class Group:
    """Batches on their way to one frame, with what each will be told. `first` tells how many ids each object table had
    before; the next event row gets the number `row`."""

    first: dict[str, int]
    row: int
    outcomes: list[Outcome] = field(default_factory=list)
    frame: Frame = field(default_factory=Frame)


def grouped(batches: Sequence[Batch], state: State, against: StoreError | None) -> Group:
    """A group of batches; `against` speaks against all of them."""
    group = Group({name: len(table.keys) for name, table in state.objects.items()}, state.next_row)
    asked: dict[Name, int] = {}  # those that are not encoded yet
    taken: set[Name] = set()
    for at, batch in enumerate(batches):
        name = (batch.source, batch.generation, batch.epoch, batch.sequence)
        if name in asked:  # what this one is told rests on what becomes of that one
            taken.update(_encoded(group, batches, asked, state))
            asked.clear()
        try:
            if against is not None:
                raise against
            duplicate = name in taken or state.marks.seen(*name, first=batch.first)
            group.outcomes.append(Ack(batch.sequence, 0 if duplicate else _rows(batch), duplicate=duplicate))
            if not duplicate:
                asked[name] = at
        except StoreError as error:
            group.outcomes.append(error)
    _encoded(group, batches, asked, state)
    return group


def _encoded(group: Group, batches: Sequence[Batch], asked: dict[Name, int], state: State) -> list[Name]:
    """Encode some of a group's batches; the names of those that can be stored. Where something speaks against some they
    are tried by halves, so that one of many costs all others little."""
    waiting, done = [list(asked.items())] if asked else [], list[Name]()
    while waiting:
        some = waiting.pop()
        if reason := _refused(group, [batches[at] for _, at in some], state):
            if len(some) == 1:
                group.outcomes[some[0][1]] = reason
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
        else:
            done += [name for name, _ in some]
    return done


def _refused(group: Group, batches: Sequence[Batch], state: State) -> StoreError | None:
    """Put batches to the frame, all or none of them; what speaks against one of them."""
    frame = group.frame

    def left(batch: Batch, table: str, waiting: Sequence[Prepared]) -> int | None:
        return state.invented.left(batch, table, [*frame.batches, *waiting])

    try:
        made = encode(batches, state.schemas, state.objects, group.row, len(frame.streams), left)
    except StoreError as error:
        return error
    except Exception as error:
        if len(batches) == 1:
            log.exception("a batch could not be encoded")
        return StorageFailed(f"a batch could not be encoded ({error!r})")
    frame.batches.extend(made.batches)
    frame.streams.extend(made.streams)
    group.row += sum(stream.part.rows for stream in made.streams)
    return None


def _rows(batch: Batch) -> int:
    return sum(rows.count for rows in batch.rows)
