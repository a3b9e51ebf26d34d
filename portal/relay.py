"""Moves what the control database has to tell to the tables: final executions, actions, facts of enrolled devices, and
the audit log.

In: groups of the outbox and of the log, each in sequence. Out: batches of the sources `portal` and `audit`, one a
group, named by the sequence of its last message and standing for all numbers up to it, so that no holes are left to
remember. Invariants: a group is sent again unchanged until it is marked, and the tables know what they have, so each
message arrives once, over any crash; while somebody holds the relay still, its position says exactly what the tables
have of the outbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from portal.threads import Threads
from storage.control.api import Control
from storage.control.audit import REFUSED, Entry
from storage.control.erasure import EMPTIED
from storage.control.errors import ControlError
from storage.control.outbox import Message
from storage.control.records import to_json
from storage.tables.api import Batch, Refused, Rows, StorageFailed, Tables

GROUP = 1000
LOG_GROUP = 5000  # entries looked at; those of executions do not come along
LOG = "platform.audit_logs"
PAUSE, PAUSE_AFTER_FAILURE = 1.0, 5.0  # seconds without a call to wake up
log = structlog.get_logger("relay")


class Relay:
    """The one task that moves outbox rows. `start` before anything is asked, then `run` in a task."""

    def __init__(self, control: Control, tables: Tables, threads: Threads, clock: Callable[[], int]) -> None:
        self._control = control
        self._tables = tables
        self._threads = threads
        self._clock = clock
        self._position = 0
        self._moving = asyncio.Lock()
        self._at_work = asyncio.Lock()
        self._call = asyncio.Event()

    async def start(self) -> None:
        """Find out what the tables have: a group that a crash left between the two is sent again. What else waits is
        moved later, as ever."""
        self._position = await self._threads.control(self._control.outbox.relayed)
        await self._move_group()

    async def run(self) -> None:
        """Move what comes, until cancelled."""
        while True:
            pause = PAUSE if await self._try() else PAUSE_AFTER_FAILURE
            # Not wait_for: on Python 3.11 it swallows a cancel that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._call.wait()
            self._call.clear()

    def wake(self) -> None:
        """There is something to move. Call it on the event loop."""
        self._call.set()

    @asynccontextmanager
    async def still(self) -> AsyncIterator[int]:
        """Hold the relay still; gives the sequence number up to which the tables have everything, and nothing
        beyond."""
        async with self._moving:
            yield self._position

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Have nothing that was read of the control database on its way to the tables."""
        async with self._at_work:
            yield

    async def _try(self) -> bool:
        try:
            return await self.catch_up()
        except ControlError as error:
            log.warning("relay_waits", reason=str(error))
        except Exception:
            log.exception("relay_failed")
        return False

    async def catch_up(self) -> bool:
        """Move everything there is; False if the tables could not take it now. Raises ControlError."""
        async with self._at_work:
            return await self._catch_up_outbox() and await self._catch_up_log()

    async def _catch_up_log(self) -> bool:
        audit = self._control.audit
        while True:
            sequence, entries = await self._threads.control(audit.next_group, LOG_GROUP)
            if not sequence:
                return True
            rows = [Message(entry.sequence, LOG, log_row(entry)) for entry in entries]
            try:
                if rows:
                    await self._tables.append(self._batch("audit", sequence, rows))
            except Refused as error:
                log.error("relay_refused", table=LOG, sequence=sequence, reason=error.reason)
            except StorageFailed as error:
                log.warning("relay_waits", reason=error.reason)
                return False
            await self._threads.control(audit.mark, sequence)

    async def _catch_up_outbox(self) -> bool:
        while (moved := await self._move_group()) is True:
            pass
        return moved is None

    async def _move_group(self) -> bool | None:
        """Whether a group was moved; None if there is none."""
        messages = await self._threads.control(self._control.outbox.next_batch, GROUP)
        if not messages:
            return None
        try:
            async with self._moving:
                await self._send(messages)
                self._position = messages[-1].sequence
        except StorageFailed as error:
            log.warning("relay_waits", reason=error.reason)
            return False
        await self._threads.control(self._control.outbox.mark, self._position, now=self._clock())
        return True

    async def _send(self, messages: list[Message]) -> None:
        messages = [message for message in messages if message.table != EMPTIED]  # an erasure took what it said
        if not messages:
            return
        try:
            await self._append(messages)
        except Refused:
            for message in messages:  # one bad row must not hold up the others
                try:
                    await self._append([message])
                except Refused as error:
                    log.error("relay_refused", table=message.table, sequence=message.sequence, reason=error.reason)

    async def _append(self, messages: list[Message]) -> None:
        await self._tables.append(self._batch("portal", messages[-1].sequence, messages))

    def _batch(self, source: str, sequence: int, messages: list[Message]) -> Batch:
        return Batch(source, 0, self._control.epoch, sequence, self._clock(), tuple(columnar(messages)), first=0)


def log_row(entry: Entry) -> dict[str, Any]:
    """An entry of the audit log as a row of `platform.audit_logs`."""
    refused = entry.action == REFUSED
    return {
        "time": entry.time,
        "status": "failure" if refused else "success",
        "status_details": str(entry.detail.get("reason", "")) if refused else None,
        "account": entry.actor.removeprefix("account:"),
        "action": entry.action,
        "subject": entry.subject,
        "detail": to_json({**entry.detail, **_origin(entry)}),
    }


def _origin(entry: Entry) -> dict[str, str]:
    """By which credential and in which request, as far as that is known."""
    said = {"credential": entry.credential, "request": entry.request}
    return {name: value for name, value in said.items() if value and name not in entry.detail}


def columnar(messages: Iterable[Message]) -> list[Rows]:
    """Messages as rows of tables, in their order; a new piece wherever table or columns change."""
    pieces: list[tuple[str, tuple[str, ...], list[dict[str, Any]]]] = []
    for message in messages:
        kind = (message.table, tuple(message.row))
        if not pieces or pieces[-1][:2] != kind:
            pieces.append((*kind, []))
        pieces[-1][2].append(message.row)
    return [Rows(table, {name: [row[name] for row in rows] for name in names}) for table, names, rows in pieces]
