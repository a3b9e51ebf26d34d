"""Notes when devices come and go, many at a time.

In: calls of the channels, on the event loop. Out: intervals in the control database. Invariants: nobody waits for it,
not even the start of the portal, and ten thousand devices that come at once are a few transactions; what could not be
written is kept and written later, with the instant at which it happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import ControlError
from storage.control.presence import Move

EVERY = 1.0  # seconds
SEEN_EVERY = 30  # turns
SILENT = 150_000_000  # microseconds: an interval that no portal has spoken of for so long
MOST = 200_000  # moves that are kept while nothing can be written
PIECE = 5_000  # moves in one transaction
log = structlog.get_logger("presence")


class Presence:
    """Who is connected, as it is written down."""

    def __init__(
        self,
        control: Control,
        threads: Threads,
        clock: Callable[[], int],
        written: Callable[[], None],
        *,
        alone: bool = True,
    ) -> None:
        """`alone`: there is no other portal, so that what is open and not of this one was left by one that died."""
        self._control, self._threads, self._clock, self._written = control, threads, clock, written
        self._alone = alone
        self._here: dict[str, int] = {}  # since when the devices of this portal are connected
        self._moves: list[Move] = []
        self._contacts: set[str] = set()
        self._turns = 0
        self._begun = False
        self._beginning = asyncio.Lock()

    def came(self, device: str) -> None:
        """A device is connected."""
        self._here[device] = now = self._clock()
        self._note(Move(device, now))

    def left(self, device: str, reason: str) -> None:
        """A device is not connected any more."""
        since = self._here.pop(device, None)
        self._note(Move(device, self._clock(), reason, None if self._alone else since))

    def contact(self, device: str) -> None:
        """A device has asked for something."""
        self._contacts.add(device)

    async def stop(self) -> None:
        """Write what waits, and end every interval: the portal stops."""
        try:
            await self.write()
            await self._touch()
            mine = None if self._alone else list(self._here)
            await self._threads.control(self._control.presence.close_all, "portal_stopped", self._clock(), devices=mine)
        except ControlError as error:
            log.warning("presence_waits", code=error.code)  # the next start ends them

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            try:
                await self.write()
                if self._turns % SEEN_EVERY == SEEN_EVERY - 1:
                    mine = None if self._alone else list(self._here)
                    await self._threads.control(self._control.presence.seen, now=self._clock(), devices=mine)
                    await self._close_lost()
                    await self._touch()
            except ControlError as error:
                log.warning("presence_waits", code=error.code)
            except Exception:
                log.exception("presence_failed")
            await asyncio.sleep(EVERY)
            self._turns += 1

    async def _close_lost(self) -> None:
        """End what portals that died left open: at once, or where there are others, what none has spoken of."""
        if not (self._begun and self._alone):
            since = None if self._alone else self._clock() - SILENT
            await self._threads.control(self._control.presence.close_all, "portal_lost", None, silent_since=since)

    async def _touch(self) -> None:
        contacts, self._contacts = self._contacts, set()
        await self._threads.control(self._control.enrolment.touch, contacts, now=self._clock())

    async def write(self) -> None:
        """Write what waits, after the end of what the process before this one left open, which ended with it. Raises
        ControlError, and then it waits on."""
        async with self._beginning:
            if not self._begun:
                await self._close_lost()
                self._begun = True
        while self._moves:
            piece, self._moves = self._moves[:PIECE], self._moves[PIECE:]
            try:
                ended = await self._threads.control(self._control.presence.write, piece, now=self._clock())
            except BaseException:
                self._moves = piece + self._moves
                raise
            if ended:
                self._written()

    def _note(self, move: Move) -> None:
        self._moves.append(move)
        if len(self._moves) > MOST:
            del self._moves[: len(self._moves) - MOST]
