"""Which local schedules are due on the device's own clock, and which are silent: plain values and decisions.

In: the local orders of the configuration, what is remembered of each schedule, an instant of the device's clock. Out:
orders to begin now, the next instant at which that may change. Invariants: the clock is cut into turns as long as the
schedule's interval, shifted by a digest of device and schedule; a turn begins within `GRACE` of its start or not at
all, so that a device that was off makes up for nothing; a turn is begun once, also across restarts, because it is
remembered before its process starts. It does no input or output.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from agent import wire
from agent.wire_configuration import LocalOrder

SECOND = 1_000_000
GRACE = 300 * SECOND  # within which a turn begins, should scripts run that were asked for
SILENT_AFTER = 10  # failures in a row
SILENT_FOR = 12 * 3600 * SECOND
NEVER = 1 << 62
SEQUENCES = 1 << 53


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of a schedule: the turn that was begun last, failures in a row, until when it is silent."""

    turn: int = -1
    failures: int = 0
    silent_until: int = 0

    def silent(self, now: int) -> bool:
        """Whether it is silent now; a time further ahead than any silence is of a clock that was wrong."""
        return now < self.silent_until <= now + SILENT_FOR

    def after(self, good: bool, now: int) -> Memory:
        """The memory after an end."""
        failures = 0 if good else self.failures + 1
        return replace(self, failures=failures, silent_until=now + SILENT_FOR if failures >= SILENT_AFTER else 0)


@dataclass(frozen=True, slots=True)
class Known:
    """What the disk remembers after a start: schedules and sequences of executions without an end among it."""

    memory: Mapping[str, Memory] = field(default_factory=dict)
    sequence: int = 0
    open: tuple[tuple[str, int], ...] = ()
    unsent: tuple[wire.LocalReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Recurring:
    """The part of the core's state that is about local schedules. `ready` once the disk's memory is here; `at` is the
    next instant at which a turn may begin, by a clock that said `seen` when it was looked at; `sequence` the greatest
    that was given."""

    orders: tuple[LocalOrder, ...] = ()
    memory: Mapping[str, Memory] = field(default_factory=dict)
    sequence: int = 0
    unsent: tuple[wire.LocalReport, ...] = ()
    ready: bool = False
    at: int = NEVER
    seen: int = 0

    def quiet(self, now: int) -> bool:
        """Whether nothing can begin; a clock that was set back makes us look again."""
        return not self.orders or self.seen <= now < self.at

    def of(self, schedule: str) -> Memory:
        """What is remembered of a schedule."""
        return self.memory.get(schedule, Memory())

    def remember(self, schedule: str, memory: Memory) -> Recurring:
        """The state with another memory of a schedule."""
        return replace(self, memory={**self.memory, schedule: memory})

    def next_sequence(self, portal_now: int) -> int:
        """A number greater than any before, also where the disk was lost: it follows the time."""
        return min(max(self.sequence + 1, portal_now), SEQUENCES)


NOTHING, NONE = Known(), Recurring()


def turn_of(order: LocalOrder, now: int) -> int:
    """The turn that an instant lies in."""
    return (now - _shift(order)) // (order.every * SECOND)


def start_of(order: LocalOrder, turn: int) -> int:
    """The instant at which a turn begins."""
    return turn * order.every * SECOND + _shift(order)


def due(state: Recurring, running: Collection[str], now: int) -> list[LocalOrder]:
    """The orders that begin now, those whose turn began first before others."""
    if not state.ready:
        return []
    found = [order for order in state.orders if order.schedule not in running and _begins(state, order, now)]
    return sorted(found, key=lambda order: start_of(order, turn_of(order, now)))


def next_at(state: Recurring, now: int) -> int:
    """The next instant at which a turn begins, NEVER without any."""
    if not state.ready:
        return NEVER
    return min((_next(state, order, now) for order in state.orders), default=NEVER)


def assigned(state: Recurring, orders: Collection[LocalOrder], now: int) -> Recurring:
    """The state with these orders in the place of those before."""
    state = replace(state, orders=tuple(orders))
    return replace(state, at=next_at(state, now), seen=now)


def _begins(state: Recurring, order: LocalOrder, now: int) -> bool:
    memory, turn = state.of(order.schedule), turn_of(order, now)
    return memory.turn != turn and not memory.silent(now) and now - start_of(order, turn) <= GRACE


def _next(state: Recurring, order: LocalOrder, now: int) -> int:
    memory = state.of(order.schedule)
    if memory.silent(now):
        return start_of(order, turn_of(order, memory.silent_until) + 1)
    return start_of(order, turn_of(order, now) + 1)


def _shift(order: LocalOrder) -> int:
    digest = sha256(f"{order.device}\n{order.schedule}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (order.every * SECOND)
