"""What other portals on the same control database change: noticed here, from the one order of the audit log.

In: the entries that are new since the last look. Out: nudges for devices that are connected here, ended connections,
a fresh catalog, runs to look at. Invariants: who looks from the last number it saw misses nothing; what executions do
is left out, as whoever takes a report decides about its run; what only one portal shall do runs under a lease.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from portal.actions.progress import Progress
from portal.agents.configuration import Configurations
from portal.nudges import CLONED, Nudges
from portal.queries.catalogs import Catalogs
from portal.threads import Threads
from storage.control.api import Control
from storage.control.audit import Entry
from storage.control.errors import ControlError

PAUSE = 0.5  # seconds
GROUP = 1000  # entries in one look
LASTS = 15_000_000  # microseconds of a lease
RENEW = 5.0  # seconds
CATALOG = ("action.", "configured.")
CONFIGURED = ("author.", "schedule.", "key", "action.signed")
log = structlog.get_logger("beside")


@dataclass(frozen=True, slots=True)
class Parts:
    """What is told."""

    control: Control
    threads: Threads
    clock: Callable[[], int]
    nudges: Nudges
    configurations: Configurations
    catalogs: Catalogs
    progress: Progress


@dataclass(slots=True)
class Beside:
    """The one task that looks, and the leases of this portal."""

    parts: Parts
    holder: str = field(default_factory=lambda: secrets.token_hex(8))
    _seen: int | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except ControlError as error:
                log.warning("beside_waits", code=error.code)
            except Exception:
                log.exception("beside_failed")
            await asyncio.sleep(PAUSE)

    async def look(self) -> None:
        """Take what is new since the last look; the first only sees where the log is."""
        control, threads = self.parts.control, self.parts.threads
        if self._seen is None:
            [*newest] = await threads.control(control.audit.latest, 1)
            self._seen = newest[0].sequence if newest else 0
            return
        while entries := await threads.control(control.audit.changes, self._seen, GROUP):
            await self._take(entries)
            self._seen = entries[-1].sequence

    async def _take(self, entries: list[Entry]) -> None:
        p = self.parts
        if any(entry.action.startswith(CATALOG) for entry in entries):
            await p.threads.control(p.catalogs.refresh)
        if any(entry.action.startswith(CONFIGURED) for entry in entries):
            p.configurations.changed()
        runs = {entry.subject.removeprefix("run:") for entry in entries if entry.subject.startswith("run:")}
        for run in runs:
            p.progress.look_at(run)
        if runs and p.nudges.devices:
            waiting = await p.threads.control(p.control.dispatch.waiting_devices, now=p.clock())
            p.nudges.nudge(waiting & p.nudges.devices)
        if p.nudges.devices and any(entry.subject.startswith("campaign:") for entry in entries):
            asked = await p.threads.control(p.control.campaign_dispatch.waiting_devices, now=p.clock())
            p.nudges.nudge(asked & p.nudges.devices)
        for entry in entries:
            uid = entry.subject.removeprefix("device:")
            if entry.action in ("device.revoked", "device.cloned"):
                p.control.enrolment.forget(uid)
                p.nudges.close(uid, *([CLONED] if entry.action == "device.cloned" else []))

    async def leading(self, name: str, work: Callable[[], Coroutine[Any, Any, None]], *, every: float = RENEW) -> None:
        """Have `work` run here while this portal holds a lease, renewed `every` seconds, until cancelled."""
        task: asyncio.Task[None] | None = None
        try:
            while True:
                if not await self._holds(name, held=task is not None):
                    await _ended(task)
                    task = None
                elif task is None or task.done():
                    task = asyncio.create_task(work())
                await asyncio.sleep(every)
        finally:
            await _ended(task)

    async def _holds(self, name: str, *, held: bool) -> bool:
        p = self.parts
        try:
            acquire = p.control.leases.acquire
            return await p.threads.control(acquire, name, self.holder, now=p.clock(), lasts=LASTS) is not None
        except ControlError as error:
            log.warning("lease_unknown", name=name, code=error.code)
            return held  # nobody else could take it either


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
