"""A simulated world: one portal, fifty devices, a network, and what people and fate do to them.

In: a seed and a folder. Out: a world after its story, for `judge`. Invariants: one seed gives one story; what is not
real is time, the network, threads, the table store's files, and the scripts; trouble ends at some point, after which
everything comes back and has time to settle. Faults are on by the seed, so that worlds without some of them are seen,
too.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.identity import Enrolment, Keys, Policy
from portal.caller import Caller
from storage.control.runs import Run
from tests.sim.device import Device, Identity
from tests.sim.ledger import Ledger
from tests.sim.network import Network
from tests.sim.portal import Outside, Portal
from tests.sim.start import HOUR, SECOND, START, place
from tests.sim.tables import ModelTables

DAY = 24 * HOUR
SEALING = X25519PrivateKey.generate()  # nothing is sealed here
COPY_SECONDS = 300  # within which two machines are told apart when nothing goes wrong
PEACE = (20, 40, 60, 120, 600, 1200, 1800, 3600)
QUIET = (600, 3600, 18_000, 18_000, 18_000, 18_000, 18_000)  # with what was asked for a day, this ends everything
SETTLED = 31 * DAY  # longer than a lost contact is waited for


class World:
    """The world of one seed. `steps` says whether the portal's clock is set while it runs."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = Random(seed)
        self.ledger = Ledger()
        self.net = Network(self.random, self.ledger, START)
        self.start = place(folder)
        self.caller = Caller(self.start.account)
        self.steps = self.random.random() < 0.4
        slow, stalls = self.random.random() < 0.2, 0.25 if self.random.random() < 0.2 else 0.03
        self.stepped = False
        self.runs: list[str] = []
        self.local: set[str] = set()  # schedules that devices follow on their own clocks
        self._wall = 0
        self._refusing = False
        turns = Random(seed + 1)
        self.tables = ModelTables(lambda: _turn(turns, slow), lambda: self._refusing and turns.random() < 0.7)
        clocks = (lambda: self.net.now + self._wall, lambda: self.net.now)
        self._outside = Outside(folder, self.tables, *clocks, self.random, self.ledger, stalls)
        self._folder = folder
        self.devices = {
            uid: Device(self._identity(uid, number), self.net, folder / f"d{number}")
            for number, (uid, _) in enumerate(self.start.devices)
        }
        self.copies: dict[str, Device] = {}

    @property
    def portal(self) -> Portal:
        """The portal that runs."""
        assert self.net.portal is not None
        return self.net.portal

    @property
    def uids(self) -> list[str]:
        """All devices."""
        return list(self.devices)

    @property
    def busy(self) -> list[str]:
        """Those on which most happens, so that things meet there."""
        return self.uids[:12]

    def tell(self, text: str) -> None:
        """Add to the story."""
        self.net.tell(text)

    # --- the portal ----------------------------------------------------------------------------
    async def open_portal(self) -> None:
        """Start the portal."""
        self.net.portal = Portal(self._outside)
        await self.net.portal.relay.start()

    async def crash_portal(self, seconds: float) -> None:
        """Kill the portal, and start it again after a while."""
        self.tell(f"the portal is killed, for {seconds:.0f} s")
        portal, self.net.portal = self.portal, None
        portal.kill()
        await asyncio.sleep(seconds)
        await self.open_portal()

    def step_clock(self, micros: int) -> None:
        """Somebody sets the portal's clock."""
        self.stepped = True
        self._wall += micros
        self.tell(f"the portal's clock is set by {micros / HOUR:+.0f} h")

    def refuse(self, refusing: bool) -> None:
        """The disk of the tables fails, or is well again."""
        self._refusing = refusing

    async def pass_time(self, seconds: float, pause: float) -> None:
        """Let time pass, with ticks now and then, and one at the end."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0.01:
            await asyncio.sleep(min(left, self.random.uniform(0.2, 2) * pause))
            await self.portal.spawn(self.portal.tick())

    # --- machines that were copied -------------------------------------------------------------
    def copy(self, uid: str) -> None:
        """Somebody copies a machine, and switches the copy on."""
        self.ledger.copied.add(uid)
        self.ledger.counts["copied"] += 1
        copy = self.copies[uid] = self.devices[uid].copy(self._folder / f"copy{self.ledger.counts['copied']}")
        copy.boot()

    def held(self) -> list[str]:
        """The devices of which the portal says that two machines go by them."""
        return [device.uid for device in self.portal.control.enrolment.cloned()]

    async def decide(self, uid: str) -> None:
        """An administrator has one of two machines switched off, whichever, and releases the device."""
        copy = self.copies.pop(uid)
        stays, goes = self.random.sample([self.devices[uid], copy], 2)
        goes.end()
        self.devices[uid] = stays
        await self.portal.spawn(self.portal.devices.release(self.caller, uid))
        self.ledger.counts["decided"] += 1
        self.tell(f"device {uid[-6:]} is released, its {'copy' if stays is copy else 'first machine'} stays")

    # --- peace ---------------------------------------------------------------------------------
    async def peace(self) -> None:
        """All trouble ends, all devices come back, and what is left is settled."""
        self.tell("peace")
        self.net.faults, self.net.peace = 0.0, True
        self.net.cut.clear()
        self.refuse(False)
        for device in self.devices.values():
            device.full = False
            if not device.alive:
                device.boot()
        await self.pass_time(COPY_SECONDS, 60)
        held = self.held()
        for uid in list(self.copies):
            if uid not in held:
                self.ledger.problem(f"the two machines of {uid[-6:]} are not told apart")
            await self.decide(uid)
        for pause in PEACE:
            await self.pass_time(pause, 2 * pause)
        for schedule in self.portal.control.schedules.everything():
            await self.portal.schedules.enable(self.caller, schedule.nql_id, False)
        for pause in QUIET:
            await self.pass_time(pause, 2 * pause)
        self._wall += SETTLED
        await self.pass_time(60, 60)
        await self.pass_time(60, 60)

    def close(self) -> None:
        """Let go of everything."""
        for device in (*self.devices.values(), *self.copies.values()):
            device.end()
        if self.net.portal is not None:
            self.net.portal.kill()

    def every_run(self) -> list[Run]:
        """All runs, oldest first."""
        return self.portal.control.runs.latest(1000)[::-1]

    def _identity(self, uid: str, number: int) -> Identity:
        key = dict(self.start.devices)[uid]
        policy: Policy = "signed_trusted" if number % 2 else "unrestricted"
        skew = round(self.random.gauss(0, 60)) * SECOND
        pinned = Enrolment("", uid, uid, 1, False, self.start.portal_key, [self.start.author], policy)
        return Identity(pinned, Keys(key, SEALING), skew)


async def _turn(random: Random, slow: bool) -> None:
    """A step of the disk of the tables; a slow one takes long enough for a portal to be killed meanwhile."""
    often, pause = (0.9, 1 / 20) if slow else (0.3, 4)
    await asyncio.sleep(random.expovariate(pause) if random.random() < often else 0)
