"""When collectors look and collect. Plain values in, rows out; it knows no disk and no network.

In: the instant (the portal's time, as far as known) and what each collector has told before (`marks`). Out: rows, the
next instant. Invariants: buckets end on the grid of their length, except the first after a start, which ends after
`FIRST`; a collector tells each stretch once; after a sleep of the machine the bucket ends where the grid says, and
the time asleep belongs to none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.collectors.base import DAY, SECOND, Collector, Rights
from agent.host.base import Host
from agent.rows import Rows

LOOK = 10 * SECOND
FIRST = 60 * SECOND
HISTORY = 30 * DAY - 3600 * SECOND  # how far back the first collection looks; the portal takes no older events


class Schedule:
    """The collectors of one agent. `failed` is told of one that raised."""

    def __init__(
        self,
        collectors: Iterable[Collector],
        host: Host,
        marks: Mapping[str, int],
        now: int,
        failed: Callable[[str, Exception], None],
    ) -> None:
        allowed = (Rights.NONE, Rights.SYSTEM) if host.privileged() else (Rights.NONE,)
        self._collectors = [one for one in collectors if one.rights in allowed]
        self._host = host
        self._failed = failed
        self._look_at = now
        before = now - (0 if host.simulated else HISTORY)  # a simulated device has no past of its own
        self._since = {one.name: now if one.buckets else marks.get(one.name, before) for one in self._collectors}
        self._due = {one.name: now + FIRST if one.buckets else now for one in self._collectors}

    @property
    def wake(self) -> int:
        """The next instant at which there is something to do."""
        return min(self._look_at, *self._due.values())

    @property
    def marks(self) -> dict[str, int]:
        """Up to when each collector has told, to be kept over a restart."""
        return {one.name: self._since[one.name] for one in self._collectors if not one.buckets}

    def run(self, now: int) -> list[Rows]:
        """Look and collect what is due."""
        due = [one for one in self._collectors if self._due[one.name] <= now]
        if self._look_at <= now or any(one.buckets for one in due):
            self._look(now)
        return [found for one in due for found in self._collect(one, now)]

    def _look(self, now: int) -> None:
        self._look_at = now + LOOK
        for one in self._collectors:
            try:
                one.sample(self._host, now)
            except Exception as error:
                self._failed(one.name, error)

    def _collect(self, one: Collector, now: int) -> list[Rows]:
        since = self._since[one.name]
        until = self._due[one.name] if one.buckets else now
        following = now - now % one.every
        self._since[one.name] = max(until, following) if one.buckets and now - until > LOOK else until
        self._due[one.name] = following + one.every
        if until < since or (one.buckets and until == since):
            return []
        try:
            return [found for found in one.collect(self._host, since, until) if found.columns]
        except Exception as error:
            self._failed(one.name, error)
            return []
