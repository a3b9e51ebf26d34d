"""The work of erasures: each from state to state until no file has anything of whom it is about.

In: erasures that are not done. Out: the same, done. Invariants: a step that failed is tried again, also by the next
process; nobody sends under a device's name before anything of it goes; rows on their way to the tables are waited for;
what came of a device while it was erased is erased again; an erasure is done only when nobody reads a file of before.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from portal.agents.presence import Presence
from portal.erasure.beside import is_backed_up
from portal.erasure.service import TABLES, Erasing
from portal.nudges import Nudges
from portal.queries.execution import Execution
from portal.queries.sources import Sources
from portal.relay import Relay
from portal.threads import Threads
from storage.control.api import Control
from storage.control.erasure import ASKED, CONTROL_ERASED, DONE, REVOKED, TABLES_ERASED, Erasure
from storage.control.errors import ControlError
from storage.control.tombstones import DEVICE
from storage.tables.api import Naming, StoreError, Tables, about

PAUSE = 5.0  # seconds between tries of what waits
LOOKS, LOOK_SECONDS = 50, 0.1  # for connections that end
log = structlog.get_logger("erasure")


class WaitingError(Exception):
    """Something has to end first."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the work is done with."""

    data: Path
    control: Control
    tables: Tables
    sources: Sources
    relay: Relay
    nudges: Nudges
    presence: Presence
    execution: Execution
    threads: Threads
    clock: Callable[[], int]


class Work:
    """The one task that erases, one after the other."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._erasures = parts.control.erasures
        self._call, self._turn = asyncio.Event(), asyncio.Lock()
        self._files: dict[str, set[Path]] = {}  # of the spool, that were there when the tables had nothing any more
        self.erasing = Erasing(parts.control, parts.sources, parts.threads, parts.clock, self._call.set)

    async def run(self) -> None:
        """Erase until cancelled."""
        while True:
            try:
                left = await self.carry_on()
            except ControlError as error:
                log.warning("erasures_wait", code=error.code)
                left = True
            # Not wait_for: on Python 3.11 it swallows a cancel that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE if left else None):
                    await self._call.wait()
            self._call.clear()

    async def carry_on(self) -> bool:
        """Go on with all that is not done; whether something still waits. Raises ControlError."""
        async with self._turn:
            return await self._carry_on()

    async def _carry_on(self) -> bool:
        waits = False
        for asked in await self._p.threads.control(self._erasures.unfinished):
            try:
                while asked.state != DONE:
                    await self._step(asked)
                    asked = await self._p.threads.control(self._erasures.erasure, asked.id)
            except (ControlError, StoreError, OSError, WaitingError) as error:
                waits = True
                log.warning("erasure_waits", erasure=asked.id, state=asked.state, reason=str(error)[:300])
                await self._p.threads.control(self._erasures.waits, asked.id, str(error), now=self._p.clock())
            except Exception:
                waits = True
                log.exception("erasure_failed", erasure=asked.id, state=asked.state)
        return waits

    async def _step(self, asked: Erasure) -> None:
        match asked.state:
            case s if s == ASKED:
                await self._revoke(asked)
            case s if s == REVOKED:
                async with self._p.relay.at_rest():
                    await self._p.threads.control(self._erasures.erase_here, asked.id, now=self._p.clock())
                self._p.control.enrolment.forget(asked.subject or "")
                self._p.relay.wake()
            case s if s == CONTROL_ERASED:
                await self._tables(asked)
            case s if s == TABLES_ERASED:
                await self._files_gone(asked)

    async def _revoke(self, asked: Erasure) -> None:
        """Nobody sends under its name any more, and all that it did send is stored. Raises WaitingError."""
        uid, now = asked.subject or "", self._p.clock()
        if asked.kind == DEVICE:
            if await self._p.threads.control(self._p.control.enrolment.device, uid):
                await self._p.threads.control(self._p.control.revoke_device, uid, by=asked.asked_by, now=now)
            self._p.nudges.close(uid)
            for _ in range(LOOKS):
                if uid not in self._p.nudges:
                    break
                await asyncio.sleep(LOOK_SECONDS)
            else:
                raise WaitingError("the device is still connected")
            await self._p.presence.write()
            if not await self._p.relay.catch_up():
                raise WaitingError("the tables take nothing now")
        source = await self._p.sources.snapshot()
        words = await self._p.threads.small(self.erasing.words, source, asked.kind, uid)
        await self._p.threads.control(self._erasures.revoked, asked.id, words, now=now)

    async def _tables(self, asked: Erasure) -> None:
        table, uid = TABLES[asked.kind], asked.subject or ""
        await self._p.tables.erase(table, uid, asked.words or Naming())
        source = await self._p.sources.snapshot()
        found = await self._p.threads.small(about.find, source, table, uid=uid)
        if asked.kind == DEVICE and found:
            await self._p.threads.control(self._erasures.again, asked.id, now=self._p.clock())
            return
        await self._p.threads.control(self._erasures.tables_erased, asked.id, now=self._p.clock())
        self._p.execution.forget()

    async def _files_gone(self, asked: Erasure) -> None:
        """Raises WaitingError, OSError, StoreError."""
        spool, names = self._files, self._p.execution.workers.spool.names
        if asked.id not in spool:
            spool[asked.id] = await self._p.threads.control(names)
        if not await self._p.tables.erased():
            gc.collect()  # an error that somebody was told may hold its query, and both hold each other
            raise WaitingError("a query still reads files of before")
        if spool[asked.id] & await self._p.threads.control(names):
            raise WaitingError("a query in a process of its own still reads rows of before")
        if await self._p.threads.control(is_backed_up, self._p.data):
            raise WaitingError("a backup is being made, which holds files of before")
        if not await self._p.threads.control(self._erasures.clean):
            raise WaitingError("somebody still reads the control database as it was")
        await self._p.threads.control(self._erasures.finish, asked.id, now=self._p.clock())
        del spool[asked.id]
