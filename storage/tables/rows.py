"""What goes into the store and what comes back: plain data that could cross a process boundary.

A batch is the unit of acknowledgement and of repetition: `(source, generation, epoch, sequence)` names it for ever.
Columns hold physical values of `nql.datatypes` as Python lists, `None` where there is none; a link column (`@device`)
holds the key text of the object it points to, and the store gives the ids. Invariant: all columns of one `Rows` are
equally long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ROWS = 50_000
MAX_SOURCE = 200
MAX_EPOCH = 64
PORTAL = "portal"  # the source of what the portal itself says, and of what comes from its outbox


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table. An object's absent column stays as it is; a `None` in a present one empties the field."""

    table: str
    columns: Mapping[str, Sequence[Any]]

    @property
    def count(self) -> int:
        """How many rows."""
        return len(next(iter(self.columns.values()), ()))


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are stored together or not at all. `source` is a device's uid, `portal` or `import:<name>`;
    `generation` counts its enrolments, `epoch` names one life of its outbox, `sequence` counts in it; `received` is
    microseconds UTC. `most_new` bounds the ids that its source may bring into being a day, in each object table; what
    is beyond counts as `other`. None: no bound, for those who are trusted. `first` is the first number that a batch
    stands for, where a source sends many of its numbers as one; None: its sequence alone."""

    source: str
    generation: int
    epoch: str
    sequence: int
    received: int
    rows: tuple[Rows, ...]
    most_new: int | None = None
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """A batch is durable and visible. `rows` counts what this call stored: 0 for a duplicate."""

    sequence: int
    rows: int
    duplicate: bool = False
