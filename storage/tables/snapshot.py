"""A snapshot: everything acknowledged at one instant, as plain data.

Invariant: it never changes, and the files it names stay on disk for as long as it lives; dropping the last reference
lets them go. How to ask it is in `storage.tables.read`.
"""

from __future__ import annotations

import weakref
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.tables.manifest import DailyFile, DayFile, Segment
from storage.tables.tail import TailPart


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The sealed segments and compacted days of a folder, the unsealed rows, and the object tables as Arrow by name.
    `number` is the manifest's, `version` the state's; `complete_until` is microseconds UTC; `zone` the instance zone;
    `relayed` the last message of each outbox (by its epoch) that the rows have.
    """

    folder: Path
    zone: str
    number: int
    version: int
    complete_until: int
    segments: tuple[Segment, ...]
    tail: tuple[TailPart, ...]
    objects: Mapping[str, Any]
    days: tuple[DayFile, ...] = ()
    dailies: tuple[DailyFile, ...] = ()
    relayed: Mapping[str, int] = field(default_factory=dict)


class Holds:
    """Which manifests are still held by a living snapshot. Used by one thread at a time; snapshots may die in any."""

    def __init__(self) -> None:
        self._held: Counter[int] = Counter()
        self._released: deque[int] = deque()  # filled wherever a snapshot is collected, where no lock may be taken

    def add(self, snapshot: Snapshot) -> None:
        """Hold a snapshot's manifest until the snapshot is gone."""
        self._held[snapshot.number] += 1
        weakref.finalize(snapshot, self._released.append, snapshot.number).atexit = False

    def oldest(self) -> int | None:
        """The number of the oldest manifest held, None if none is."""
        while self._released:
            self._held[self._released.popleft()] -= 1
        self._held = +self._held
        return min(self._held, default=None)
