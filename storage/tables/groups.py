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
    """Batches on their way to one frame, with what each will be told; `taken` are those in the frame. `first` tells how
    many ids each object table had before; the next event row gets the number `row`. `after` is the group that is to
    become durable before."""

    first: dict[str, int]
    row: int
    after: Group | None
    outcomes: list[Outcome] = field(default_factory=list)
    frame: Frame = field(default_factory=Frame)
    taken: set[Name] = field(default_factory=set)


def grouped(batches: Sequence[Batch], state: State, against: StoreError | None, after: Group | None = None) -> Group:
    """A group of batches; `against` speaks against all of them. Where it comes `after` another that is not applied yet
    it counts only if that one does, and so does what is said of duplicates."""
    first = {name: len(table.keys) for name, table in state.objects.items()}
    group = Group(first, state.next_row if after is None else after.row, after)
    asked: dict[Name, int] = {}  # those that are not encoded yet
    earlier = after.taken if after is not None else frozenset[Name]()
    for at, batch in enumerate(batches):
        name = (batch.source, batch.generation, batch.epoch, batch.sequence)
        if name in asked:  # what this one is told rests on what becomes of that one
            _encode(group, batches, asked, state)
            asked.clear()
        try:
            if against is not None:
                raise against
            duplicate = name in group.taken or name in earlier or state.marks.seen(*name, first=batch.first)
            group.outcomes.append(Ack(batch.sequence, 0 if duplicate else _rows(batch), duplicate=duplicate))
            if not duplicate:
                asked[name] = at
        except StoreError as error:
            group.outcomes.append(error)
    _encode(group, batches, asked, state)
    return group


def _encode(group: Group, batches: Sequence[Batch], asked: dict[Name, int], state: State) -> None:
    """Encode some of a group's batches. Where something speaks against some they are tried by halves, so that one of
    many costs all others little."""
    waiting = [list(asked.items())] if asked else []
    while waiting:
        some = waiting.pop()
        if reason := _refused(group, [batches[at] for _, at in some], state):
            if len(some) == 1:
                group.outcomes[some[0][1]] = reason
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
        else:
            group.taken.update(name for name, _ in some)


def _refused(group: Group, batches: Sequence[Batch], state: State) -> StoreError | None:
    """Put batches to the frame, all or none of them; what speaks against one of them."""
    frame = group.frame

    def left(batch: Batch, table: str, waiting: Sequence[Prepared]) -> int | None:
        earlier = [] if group.after is None else group.after.frame.batches
        return state.invented.left(batch, table, [*earlier, *frame.batches, *waiting])

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
