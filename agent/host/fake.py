"""A simulated device: everything the agent asks of a machine, made up from a profile, the same each time.

In: a profile, the instant. Out: what `agent.host.base` asks. Invariants: counters are functions of the time and only
grow; two hosts of one profile say the same at the same instant; no process is ever started: an action is answered
from its `simulate` block (`agent.host.simulate`), and fails with "not simulated" if it has none.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from agent.backoff import spread
from agent.campaigns.questions import USUAL, Campaign
from agent.campaigns.questions import Reply as Said
from agent.campaigns.talk import Awaits
from agent.clock import Clock
from agent.host.base import Account, Binary, Load, Login, Machine, Package, Process, Session, Volume
from agent.host.simulate import FIELDS, Reply, Simulation, SimulationError
from agent.orders import Job
from agent.runner import Ended, Started, judge, unheard

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs there: the share of one core it takes on average, and its memory."""

    binary: Binary
    share: float
    memory: int
    system: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A simulated device. `key` seeds whatever is drawn for it; `packages` None means that it does not tell."""

    key: str
    number: int
    machine: Machine
    address: str
    person: Account
    programs: tuple[Program, ...]
    packages: tuple[Package, ...] | None = None


class FakeHost:
    """The device of a profile."""

    simulated = True

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self._profile = profile
        self._clock = clock
        self._system = Account("0", "SYSTEM" if self.platform == "windows" else "root", "system")
        self._freed = 0

    @property
    def platform(self) -> str:
        """Its operating system's family."""
        return self._profile.machine.platform

    def name(self) -> str:
        """Its name."""
        return self._profile.machine.name

    def privileged(self) -> bool:
        """Simulated agents have every right."""
        return True

    def machine(self, now: int) -> Machine:
        """What it is; its disk fills up a little each day."""
        return replace(self._profile.machine, volumes=self._volumes(now))

    def boot_time(self, now: int) -> int:
        """This morning, or yesterday's."""
        phase = round((6 + 3 * spread(self._profile.key, "boot")) * HOUR)
        return (now - phase) // DAY * DAY + phase

    def address(self) -> str:
        """Its address."""
        return self._profile.address

    def accounts(self) -> Sequence[Account]:
        """Its person, and the system."""
        return [self._system, self._profile.person]

    def administrators(self) -> Sequence[str] | None:
        """It does not tell."""
        return None

    def logins(self, since: int, now: int) -> Sequence[Login]:
        """Its person logs in after each boot."""
        at = self.boot_time(now) + round((1 + spread(self._profile.key, "login") * 9) * 60 * SECOND)
        return [Login(at, self._profile.person.name, False)] if since < at <= now else []

    def sessions(self, now: int) -> Sequence[Session]:
        """Its person is there and busy now and then."""
        busy = spread(self._profile.key, "busy", now // (5 * 60 * SECOND)) < 0.6
        return [Session(self._profile.person.name, now if busy else None, "active" if busy else "locked")]

    def people(self) -> Sequence[Account]:
        """Nobody whom anybody could ask."""
        return []

    async def ask(
        self, campaign: Campaign, key: str, seconds: float, gone: Callable[[], bool], shown: Callable[[], None]
    ) -> Said:
        """Nobody is there."""
        return Said("notificationfailed", "nobody sits at a simulated device")

    def packages(self, now: int) -> Sequence[Package] | None:
        """What is installed, if it tells."""
        return self._profile.packages

    def processes(self, now: int) -> Sequence[Process]:
        """One process a program."""
        started, person = self.boot_time(now), self._profile.person.key
        return [
            Process(
                1000 + place, 1, started, self._system.key if program.system else person, program.binary.key,
                self._cpu(program, started, now), 0, self._memory(program, now), (now - started) // (100 * SECOND),
            )
            for place, program in enumerate(self._profile.programs)
        ]  # fmt: skip

    def binary(self, program: str) -> Binary | None:
        """The file of a program."""
        return next((one.binary for one in self._profile.programs if one.binary.key == program), None)

    def load(self, now: int) -> Load:
        """How busy it is: what its programs take, and a little more."""
        machine, started = self._profile.machine, self.boot_time(now)
        processors = sum(cpu.logical for cpu in machine.cpus) or 4
        busy = sum(self._cpu(program, 0, now) for program in self._profile.programs) + now // 50
        used = sum(self._memory(program, now) for program in self._profile.programs) + machine.memory // 5
        free = max(machine.memory // 50, machine.memory - used)
        counts = ((now - started) // (SECOND * 4), (now - started) // (SECOND * 3))
        queue = round(2 * spread(self._profile.key, "queue", now // (60 * SECOND)), 2)
        return Load(processors, busy, queue, machine.memory, free, 0, *counts, 0.0, self._volumes(now))

    async def execute(self, job: Job, started: Started, cancelled: Event, awaits: Awaits = unheard) -> Ended:
        """Answer from the action's `simulate` block, after the time that it says."""
        began = self._clock.now()
        block = job.content.simulate
        if block is None:
            return Ended("failure", "not simulated: the action says nothing of what a simulated device answers")
        if self.platform not in block.get("platforms", [self.platform]):
            return Ended("no_script", f"the action has no script for {self.platform}")
        try:
            simulation = Simulation(self._facts(began), job.inputs, self._profile.key, f"{self._profile.key} {job.run}")
            reply = simulation.reply(block, job.content.outputs, job.content.campaigns)
        except SimulationError as error:
            return Ended("failure", f"not simulated: {error}"[:1024])
        started(began)
        for seconds in reply.asks:
            awaits(self._clock.now() + USUAL * SECOND)
            if await self._wait(min(seconds, USUAL), cancelled):
                return self._ended(job, reply, "cancel", began)
            awaits(None)
        late = reply.duration >= job.content.timeout
        stopped = await self._wait(min(reply.duration, job.content.timeout), cancelled)
        return self._ended(job, reply, "cancel" if stopped else "timeout" if late else "exit", began)

    async def _wait(self, seconds: float, cancelled: Event) -> bool:
        """Wait; True if it was cancelled in the meantime."""
        end = self._clock.now() + round(seconds * SECOND)
        while (left := end - self._clock.now()) > 0 and not cancelled.is_set():
            await asyncio.sleep(min(left / SECOND, LOOK_SECONDS))
        return cancelled.is_set()

    def _ended(self, job: Job, reply: Reply, reason: str, began: int) -> Ended:
        state, detail = judge(reason, reply.exit_code, job.content.timeout, reply.problems)
        ran = reason == "exit"
        self._freed += reply.frees if ran else 0
        found = reply.outputs if ran else {}
        return Ended(
            state, detail[:1024], reply.exit_code if ran else None, found, reply.error[:4096], began, self._clock.now()
        )

    def _facts(self, now: int) -> dict[str, Any]:
        machine, load, booted = self._profile.machine, self.load(now), self.boot_time(now)
        drive = next((one for one in load.drives if one.system), Volume("/", 1, 1, True))
        values = (
            machine.name, machine.platform, machine.manufacturer or "", machine.model or "", machine.kind or "",
            machine.os_name, self._profile.person.name, self._profile.address, self._profile.number, machine.memory,
            load.free_memory, drive.size, drive.free, round(1 - drive.free / drive.size, 4), (now - booted) // 1000,
            booted // SECOND, 80 + len(self._profile.programs) * 7, load.queue, now // SECOND,
        )  # fmt: skip
        return dict(zip(FIELDS, values, strict=True))

    def _volumes(self, now: int) -> tuple[Volume, ...]:
        """Its volumes, the system's with what actions freed."""
        return tuple(
            replace(one, free=min(one.size, one.free + self._freed)) if one.system else one
            for one in self._profile.machine.volumes
        )

    def _cpu(self, program: Program, start: int, now: int) -> int:
        """Processor time since an instant: a share that swings, summed up exactly."""
        period = (20 + 40 * spread(self._profile.key, program.binary.key)) * 60 * SECOND
        swing = period / math.tau * 0.5 * (math.cos(math.tau * start / period) - math.cos(math.tau * now / period))
        return max(0, round(program.share * (now - start + swing)))

    def _memory(self, program: Program, now: int) -> int:
        return round(
            program.memory * (0.85 + 0.3 * spread(self._profile.key, program.binary.key, now // (60 * SECOND)))
        )
