"""Which sites this process serves, whether the others are served, and how a run is handed to who serves them.

In: the names of the sites to serve, runs. Out: how each site stands, and what came of each order. Invariants: a process
that is alone over its folder serves what it was told to without asking; where there are several, it serves what it has
the lease of, and only the holder of a lease confirms an order. Whatever is asked, an answer comes in the time given.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import ControlError
from storage.control.leases import LeaseLostError
from storage.control.sites import Site

LASTS = 15_000_000  # microseconds of a lease
RENEW = 5.0  # seconds
LOOK = 0.25  # seconds between looks for orders, and for what came of one
log = structlog.get_logger("sites")


class Standing(StrEnum):
    """Whether a site is served: by some process, by none, or soon by this one."""

    CONNECTED = "CONNECTED"
    NOT_CONNECTED = "NOT_CONNECTED"
    CONNECTING = "CONNECTING"


class Came(StrEnum):
    """What came of an order to a site."""

    OK = "ok"
    TIMEOUT = "timeout"
    ERROR = "engine_error"


@dataclass(slots=True)
class Serving:
    """The sites of this process. `names` are those it serves, None for all; `take` is given each run that was taken
    here, and raises ControlError where that fails."""

    control: Control
    threads: Threads
    clock: Callable[[], int]
    take: Callable[[str], None]
    names: frozenset[str] | None = None
    alone: bool = True
    holder: str = field(default_factory=lambda: secrets.token_hex(8))
    _tokens: dict[str, int] = field(default_factory=dict)  # the lease of each site that is held here

    async def standing(self) -> dict[str, tuple[Site, Standing]]:
        """All sites by their id, and how each stands."""
        everyone = await self.threads.control(self.control.sites.everyone)
        elsewhere = [site.lease for site in everyone if not self._here(site)]
        held = self.control.leases.held
        live = await self.threads.control(held, elsewhere, now=self.clock()) if elsewhere else set()
        return {site.id: (site, self._standing(site, live)) for site in everyone}

    async def hand(self, run: str, sites: Iterable[Site], seconds: float) -> dict[str, tuple[Came, str]]:
        """Have who serves some sites take a run: by the site's id what came of it, and what there is to say."""
        came: dict[str, tuple[Came, str]] = {}
        far: set[str] = set()
        for site in sites:
            if self._here(site):
                came[site.id] = self._taken(run)
            else:
                far.add(site.id)
        if far:
            await self.threads.control(self.control.sites.order, run, far, now=self.clock())
            came |= await self._answers(run, far, seconds)
        return came

    async def run(self) -> None:
        """Hold the leases and take orders, until cancelled. One that is alone has nothing to do."""
        if self.alone:
            return
        loop = asyncio.get_running_loop()
        renewed = loop.time() - RENEW
        try:
            while True:
                try:
                    if loop.time() - renewed >= RENEW:
                        await self._renew()
                        renewed = loop.time()
                    await self.look()
                except ControlError as error:
                    log.warning("sites_wait", code=error.code)
                except Exception:
                    log.exception("sites_failed")
                await asyncio.sleep(LOOK)
        finally:
            await self._release()

    async def look(self) -> None:
        """Take what waits for the sites that are held here."""
        if not self._tokens:
            return
        for number, site, run in await self.threads.control(self.control.sites.waiting, list(self._tokens)):
            came, why = self._taken(run)
            error = why if came is Came.ERROR else None
            token, take = self._tokens[site], self.control.sites.take
            try:
                await self.threads.control(take, number, site, token, error=error, now=self.clock())
            except LeaseLostError:
                self._tokens.pop(site, None)

    def _taken(self, run: str) -> tuple[Came, str]:
        try:
            self.take(run)
        except ControlError as error:
            return Came.ERROR, str(error)
        return Came.OK, ""

    async def _answers(self, run: str, far: set[str], seconds: float) -> dict[str, tuple[Came, str]]:
        loop = asyncio.get_running_loop()
        until, came = loop.time() + seconds, dict[str, tuple[Came, str]]()
        while True:
            for order in await self.threads.control(self.control.sites.orders_of, run):
                if order.taken:
                    came[order.site] = (Came.OK if order.error is None else Came.ERROR, order.error or "")
            if far <= came.keys():
                return came
            if (left := until - loop.time()) <= 0:
                return dict.fromkeys(far, (Came.TIMEOUT, "")) | came
            await asyncio.sleep(min(LOOK, left))

    async def _renew(self) -> None:
        for site in await self.threads.control(self.control.sites.everyone):
            if self._wanted(site):
                acquire = self.control.leases.acquire
                now = self.clock()
                token = await self.threads.control(acquire, site.lease, self.holder, now=now, lasts=LASTS)
                if token is None:
                    self._tokens.pop(site.id, None)
                else:
                    self._tokens[site.id] = token

    async def _release(self) -> None:
        tokens, self._tokens = self._tokens, {}
        try:
            for site, token in tokens.items():
                release = self.control.leases.release
                await self.threads.control(release, f"site:{site}", token, now=self.clock())
        except ControlError as error:
            log.warning("sites_wait", code=error.code)  # they end by themselves

    def _wanted(self, site: Site) -> bool:
        return self.names is None or site.name.lower() in self.names

    def _here(self, site: Site) -> bool:
        return self._wanted(site) if self.alone else site.id in self._tokens

    def _standing(self, site: Site, live: set[str]) -> Standing:
        if self._here(site) or site.lease in live:
            return Standing.CONNECTED
        return Standing.CONNECTING if self._wanted(site) else Standing.NOT_CONNECTED
