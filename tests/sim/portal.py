"""One life of a portal: the real services over the real control database, composed as `portal.app` does, on a model of
the tables.

In: what devices and people ask. Out: answers. Invariants: nothing of the product is left out or replaced but sockets,
threads, the table store and time; wherever the real portal hands work to a thread, others may go first, for long now
and then; a portal that is killed does nothing more, and only what was committed is left of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ParamSpec, Protocol, TypeVar

from agent import wire
from agent.statements import step_name
from agent.wire_configuration import Configuration, Fetch
from nql.catalog.load import builtin
from portal.access.passwords import Passwords
from portal.access.service import Access
from portal.actions.events import Watchers
from portal.actions.progress import Progress
from portal.actions.service import Actions
from portal.agents.configuration import Configurations
from portal.agents.service import Agents, Parts
from portal.agents.trails import Greeted, Trails
from portal.devices.service import Devices
from portal.metrics import Metrics
from portal.nudges import Link, Nudges
from portal.queries.catalogs import Catalogs
from portal.queries.service import Queries
from portal.queries.sources import Sources
from portal.relay import Relay
from portal.schedules import scheduler as scheduling
from portal.schedules.local import LocalOrders
from portal.schedules.service import Schedules
from portal.threads import Threads
from portal.ticks import Ticks
from portal.tls import Pins
from portal.trust.secrets import Secrets
from portal.trust.service import Trust
from portal.trust.telling import told
from storage.control.api import open_control
from storage.control.enrolment import Device
from storage.control.errors import ControlError
from storage.control.executions import Change
from storage.control.key_ring import KeyRing, fingerprint
from storage.control.leases import LeaseLostError
from storage.control.schedules import Firing
from storage.control.sealing import Sealer
from storage.control.states import State
from tests.sim.ledger import Handed, Ledger, name
from tests.sim.tables import ModelTables

P = ParamSpec("P")
T = TypeVar("T")
METRICS = Metrics()
SILENT = 90.0  # seconds until a portal lets a connection go that nobody is at any more


class RevokedError(Exception):
    """The door is closed for this device."""


class ClonedError(Exception):
    """The door is closed for this device until somebody decides which machine it is."""


class Cable(Link, Protocol):
    """A connection of a device."""

    greeted: bool
    left: bool


@dataclass(frozen=True)
class Welcome:
    """What a portal says first, and what it keeps of it: the newest step of the device's trail."""

    tag: str
    last: str
    before: str | None


class Turns(Threads):
    """Threads that are none: a call happens at once, after and before others had their turn, sometimes many. `stalls`
    is how likely a turn takes very long; `look` sees what calls returned in the very instant."""

    def __init__(self, random: Random, look: Callable[[object], None], *, stalls: float = 0.0) -> None:
        self._random, self._look, self._stalls = random, look, stalls

    async def control(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `Threads.control`."""
        await self.turn()
        done = function(*args, **kwargs)
        self._look(done)
        await self.turn()
        return done

    async def devices(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `Threads.devices`."""
        return await self.control(function, *args, **kwargs)

    async def small(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `Threads.small`."""
        return await self.control(function, *args, **kwargs)

    async def query(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `Threads.query`."""
        return await self.control(function, *args, **kwargs)

    async def turn(self) -> None:
        """Let others go first."""
        chance = self._random.random()
        if chance < self._stalls:
            await asyncio.sleep(self._random.uniform(30, 150))
        else:
            await asyncio.sleep(self._random.expovariate(4) if chance < 0.2 else 0)


class SortedNudges(Nudges):
    """Nudges in an order that does not depend on the process."""

    def nudge(self, devices: Iterable[str]) -> int:
        """Wake the connections of devices."""
        return super().nudge(sorted(devices))


@dataclass(frozen=True)
class Outside:
    """What a portal finds when it starts: its folder, tables that are there already, the clock on the wall; and how
    often one of its schedulers stands still for long."""

    folder: Path
    tables: ModelTables
    clock: Callable[[], int]
    true_time: Callable[[], int]
    random: Random
    ledger: Ledger
    stalls: float


class Portal:
    """A running portal."""

    def __init__(self, outside: Outside) -> None:
        self._out, self.clock, self.ledger = outside, outside.clock, outside.ledger
        self.alive = True
        self._tasks: set[asyncio.Task[Any]] = set()
        self._relaying = False
        self._known: dict[str, Device | None] = {}
        self.control = control = open_control(outside.folder / "control.db", now=self.clock())
        threads = Turns(outside.random, self._look)
        self.nudges, watchers = SortedNudges(), Watchers()
        self.relay = Relay(control, outside.tables, threads, self.clock)
        watchers.start()
        catalogs = Catalogs(control)
        catalogs.refresh()
        keys = KeyRing(outside.folder / "portal.key")
        sources = Sources(outside.tables, control, catalogs, self.relay, threads, outside.tables.source_of)
        access = Access(control, threads, Passwords(), self.clock)
        self.queries = Queries(sources, catalogs, threads, self.clock)
        self.progress = Progress(control, self.queries, self.nudges, watchers, threads, self.clock)
        local = LocalOrders(control, keys)
        self.configurations = Configurations(self.nudges.configure, lambda: told(control, keys, Pins(())), local)
        made = (control, self.queries, catalogs, self.relay, self.nudges, self.progress, watchers, threads)
        self.actions = Actions(*made, self.clock)
        self.devices = Devices(control, self.queries, self.nudges, threads, self.clock)
        self.schedules = Schedules(control, self.queries, threads, self.clock, self.configurations.changed)
        self.trust = Trust(control, keys, self.configurations, threads, self.clock)
        vault = Secrets(control, Sealer(outside.folder / "vault.key"), threads, self.clock)
        self.trails = Trails(control, self.nudges, threads, self.clock)
        parts = (control, outside.tables, builtin(), keys, vault, threads, METRICS, self.configurations, self.trails)
        self.agents = Agents(Parts(*parts, self.clock, 20_000, self._finished))
        self.ticks = Ticks(control, self.nudges, self.relay, threads, self.clock)
        slow = Turns(outside.random, self._look, stalls=outside.stalls)
        scheduled = scheduling.Parts(
            control, access, self.queries, self.nudges, slow, self.clock, self.configurations.changed
        )
        self.schedulers = [scheduling.Scheduler(scheduled, f"scheduler-{number}") for number in range(2)]
        control.listen(self._changed)
        control.listen(self.progress.told)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin something that ends with this portal."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def kill(self) -> None:
        """The process ends, whatever it does."""
        self.alive = False
        for task in self._tasks:
            task.cancel()
        self.nudges.close_all()
        self.control.close()

    async def tick(self) -> None:
        """What runs by itself, once; schedulers go on after it. A database that refuses waits for the next."""
        works = [self.ticks.tick(), self.progress.tick(), self.relay.catch_up()]
        first, second = self._out.random.sample(self.schedulers, 2)
        self.spawn(self._schedule(first, 0.0))
        if self._out.random.random() < 0.4:  # perhaps just when the lease of one that stands still is over
            self.spawn(self._schedule(second, self._out.random.uniform(0, 160)))
        for done in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(done, BaseException) and not isinstance(done, ControlError | asyncio.CancelledError):
                self.ledger.problem(f"the portal's tick failed: {done!r}")

    def _finished(self) -> None:
        """Executions ended: the relay moves them soon."""
        if not self._relaying:
            self._relaying = True
            self.spawn(self._relay())

    async def _relay(self) -> None:
        await asyncio.sleep(self._out.random.uniform(0, 3))
        self._relaying = False
        with suppress(ControlError):
            await self.relay.catch_up()

    async def _schedule(self, one: scheduling.Scheduler, after: float) -> None:
        await asyncio.sleep(after)
        try:
            await one.tick()
        except LeaseLostError:
            self.ledger.counts["leases lost"] += 1
        except ControlError:
            pass
        except Exception as error:
            self.ledger.problem(f"a scheduler failed: {error!r}")

    # --- devices -------------------------------------------------------------------------------
    def welcome(self, uid: str) -> Welcome:
        """What a device is told that wants to come in. Raises RevokedError, ClonedError."""
        self._at_the_door(uid)
        device = self.control.enrolment.device(uid)
        before = None if device is None else device.step
        return Welcome(self.tag(uid), step_name(before or ""), before)

    def hello(self, uid: str, cable: Cable, trail: tuple[str, ...], before: str | None) -> None:
        """A device shows itself, or what it said long ago arrives."""
        if not self.alive:
            return
        cable.greeted = True
        self.nudges.add(uid, cable)
        self.spawn(self.trails.greeted(cable, Greeted(uid, trail, before)))
        if cable.left:
            asyncio.get_running_loop().call_later(SILENT, self.nudges.remove, uid, cable)

    def left(self, uid: str, cable: Cable) -> None:
        """A device has gone."""
        cable.left = True
        self.nudges.remove(uid, cable)

    def tag(self, uid: str) -> str:
        """The tag of a device's configuration."""
        return self.configurations.tag(uid)

    async def work(self, uid: str, pull: wire.Pull, pinned: bytes) -> wire.Work:
        """Answer a pull."""
        return await self.agents.work(self._at_the_door(uid), pull, fingerprint(pinned))

    async def reports(self, uid: str, reports: wire.Reports) -> wire.Verdicts:
        """Answer reports, and note which counted as an end."""
        told = await self.agents.reports(self._at_the_door(uid), reports)
        for one in told.verdicts:
            if one.verdict == "refused":
                self.ledger.problem(f"a report was refused: {one}")
            if one.verdict == "accepted" and one.state not in ("in_progress", "waiting_on_user"):
                self.ledger.accepted[uid, one.run, one.attempt] += 1
        return told

    async def configuration(self, uid: str, _asked: Fetch) -> Configuration:
        """Answer with the configuration."""
        return await self.agents.configuration(self._at_the_door(uid))

    def _at_the_door(self, uid: str) -> Device:
        device = self._known.get(uid)
        if device is None or uid in self.ledger.closing or uid in self.ledger.copied:  # others are never refused
            device = self._known[uid] = self.control.enrolment.device(uid)
        if device is None or device.revoked_at is not None:
            raise RevokedError
        if device.cloned_at is not None:
            raise ClonedError
        return device

    def _look(self, done: object) -> None:
        for work in done if isinstance(done, list) else ():  # many devices are answered at once
            if isinstance(work, wire.Work):
                for order in work.orders:
                    self._handed(order)
        if isinstance(done, list) and done and isinstance(done[0], Firing):
            self._fired(done)

    def _fired(self, made: list[Firing]) -> None:
        """Who decides holds the lease in this very instant."""
        with closing(sqlite3.connect(self._out.folder / "control.db")) as file:
            [token] = file.execute("SELECT token FROM leases WHERE name = 'scheduler'").fetchone()
        for firing in made:
            if firing.token != token:
                self.ledger.problem(f"{firing.schedule} was decided under token {firing.token}, the lease has {token}")

    def _handed(self, order: wire.Order) -> None:
        key = (order.device, order.run, order.attempt)
        if key in self.ledger.handed:
            return
        if (known := self.control.enrolment.device(order.device)) is not None and known.cloned_at is not None:
            self.ledger.problem(f"{name(key)} was handed out although two machines go by the device")
        if order.device in self.ledger.revoked:
            self.ledger.problem(f"{name(key)} was handed out although the device is revoked")
        self.ledger.handed[key] = Handed(len(self.ledger.handed), self._out.true_time())
        run = self.control.runs.run(order.run)
        execution = self.control.executions.execution(order.run, order.device)
        if run.state == "halted" and execution.attempt == order.attempt:
            self.ledger.problem(f"{name(key)} was handed out although the run is halted")
        if execution.wave > run.wave:
            self.ledger.problem(f"{name(key)} was handed out before its wave")
        hour = self.clock() // 3_600_000_000 % 24
        if run.plan.window is not None and not (hour >= 22 or hour < 6):
            self.ledger.problem(f"{name(key)} was handed out at {hour} o'clock, outside its window")

    def _changed(self, change: Change) -> None:
        self.ledger.changed(change.run, change.device, change.state)
        if change.state is State.WAITING_ON_DEVICE:
            self.ledger.counts["executions"] += 1
