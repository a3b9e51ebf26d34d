"""What a caller with a view domain sees of runs: the executions of devices inside it, and what can be counted of them.

In: a caller, runs. Out: for each run its executions on visible devices, by wave and state. Invariant: a run none of
whose devices is visible is to this caller as if it were not there; who sees everything is asked nothing of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from portal.caller import Caller
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import NotFoundError


@dataclass(slots=True)
class Seen:
    """The visible part of a run: its devices, and how many executions are in each state, wave by wave."""

    devices: list[str] = field(default_factory=list)
    waves: dict[int, dict[str, int]] = field(default_factory=dict)


class Sight:
    """Looks at runs for callers with a view domain."""

    def __init__(self, control: Control, queries: Queries, threads: Threads) -> None:
        self._control = control
        self._queries = queries
        self._threads = threads

    async def of(self, caller: Caller, runs: Sequence[str]) -> dict[str, Seen]:
        """The visible part of each run; runs without one are left out."""
        places = await self._threads.control(self._control.executions.places, *runs)
        visible = await self._queries.visible(caller, {place.device for place in places})
        found: dict[str, Seen] = {}
        for place in places:
            if place.device in visible:
                seen = found.setdefault(place.run, Seen())
                seen.devices.append(place.device)
                wave = seen.waves.setdefault(place.wave, {})
                wave[place.state] = wave.get(place.state, 0) + 1
        return found

    async def of_one(self, caller: Caller, run: str) -> Seen:
        """The visible part of a run. Raises NotFoundError, as for a run that is not there."""
        found = await self.of(caller, [run])
        if run not in found:
            raise NotFoundError("unknown_run", "there is no such run")
        return found[run]
