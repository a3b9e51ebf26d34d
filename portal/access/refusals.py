"""What was not allowed goes to the audit log too: who tried to change what, and why it was refused.

In: refused requests of known accounts. Out: entries. Invariant: an account that tries without end fills no disk: it
gets MOST entries a minute and all accounts together MOST_OF_ALL; how many were left out stands in the account's next
entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from portal.caller import Caller
from portal.threads import Threads
from storage.control.api import Control
from storage.control.audit import REFUSED, Entry
from storage.control.errors import UnavailableError

MINUTE = 60_000_000
MOST, MOST_OF_ALL = 20, 200  # a minute


class Refusals:
    """Notes refusals. Call it on the loop."""

    def __init__(self, control: Control, threads: Threads, clock: Callable[[], int]) -> None:
        self._control = control
        self._threads = threads
        self._clock = clock
        self._minute = 0
        self._noted: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    async def note(self, caller: Caller, route: str, reason: str) -> None:
        """An account was refused at a route (method and path as listed)."""
        now = self._clock()
        if now // MINUTE != self._minute:
            self._minute, self._noted = now // MINUTE, Counter()
        if self._noted[caller.name] >= MOST or self._noted.total() >= MOST_OF_ALL:
            self._left_out[caller.name] += 1
            return
        self._noted[caller.name] += 1
        left_out = self._left_out.pop(caller.name, 0)
        detail = {"reason": reason} | ({"left_out": left_out} if left_out else {})
        entry = Entry(now, caller.actor, REFUSED, f"route:{route}", detail)
        with suppress(UnavailableError):  # the answer is a refusal, whether or not it can be written down
            await self._threads.control(self._control.audit.note, entry)
