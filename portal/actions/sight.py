"""What a caller with a view domain sees of runs: the executions of devices inside it, and what can be counted of them.

In: a caller, runs. Out: for each run how many of its executions on visible devices are in each state, by wave; the
visible devices of one. Invariant: a run none of whose devices is visible is to this caller as if it were not there;
who sees everything is asked nothing of this.
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.caller import Caller
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import NotFoundError

Waves = dict[int, dict[str, int]]


class Sight:
    """Looks at runs for callers with a view domain."""

    def __init__(self, control: Control, queries: Queries, threads: Threads) -> None:
        self._control = control
        self._queries = queries
        self._threads = threads

    async def waves(self, caller: Caller, runs: Sequence[str]) -> dict[str, Waves]:
        """The counts of each run by wave and state; runs of which nothing is visible are left out."""
        seen = await self._queries.every_visible(caller)
        return await self._threads.control(self._control.executions.waves_among, runs, seen)

    async def waves_of(self, caller: Caller, run: str) -> Waves:
        """The counts of one run. Raises NotFoundError, as for a run that is not there."""
        found = await self.waves(caller, [run])
        if run not in found:
            raise NotFoundError("unknown_run", "there is no such run")
        return found[run]

    async def devices(self, caller: Caller, run: str) -> list[str]:
        """The visible devices of a run, in order. Raises NotFoundError, as for a run that is not there."""
        every = await self._threads.control(self._control.executions.devices_of, run)
        seen = sorted(await self._queries.visible(caller, every))
        if not seen:
            raise NotFoundError("unknown_run", "there is no such run")
        return seen
