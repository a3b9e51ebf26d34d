"""A pool of simulated devices in one process: the real agent over the real wire, on made-up machines.

In: a portal's address, one-time keys, a folder, what each device is. Out: connected devices that report and answer
actions, until `stop` is set. Invariants: nothing of the agent is replaced but the machine it is on, so what holds for
these holds for real ones; a device that enrolled before keeps its identity and needs no key; the devices come up one
after the other, not all in one moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent import files, log, status
from agent.clock import SteadyClock
from agent.enrolling import enroll
from agent.exchange import UnreachableError
from agent.host.fake import FakeHost, Profile
from agent.host.profiles import profile
from agent.identity import ENROLMENT_FILE, Policy, load_enrolment, load_keys
from agent.runtime import Agent, Parts

THREADS = 8
SPREAD_SECONDS = 5.0  # over which the devices come up
LEVELS = ("error",)  # what is worth a line when it comes from one of many

Profiles = Callable[[int], Profile]


async def run_pool(
    url: str,
    keys: Sequence[str],
    folder: Path,
    count: int,
    seed: int,
    stop: asyncio.Event,
    *,
    profiles: Profiles | None = None,
    numbers: Sequence[int] | None = None,
    policy: Policy = "signed_trusted",
    ready: Callable[[int], None] = lambda count: None,
) -> None:
    """Run `count` devices until `stop` is set.

    `keys[i]` enrols device `i` where it is not enrolled yet; `profiles(number)` says what a device is (made up from
    `seed` if not given), `numbers` which numbers the devices have (0, 1, ... if not given), `policy` whose actions
    they answer. `ready` is told the number of devices once all run. Raises RefusedError, UnreachableError if one
    cannot enrol.
    """
    made = profiles or (lambda number: profile(seed, number))
    chosen = list(numbers) if numbers is not None else list(range(count))
    with ThreadPoolExecutor(THREADS, "pool") as executor:
        loop = asyncio.get_running_loop()
        secrets = [keys[i] if i < len(keys) else None for i in range(count)]
        devices = [Device(url, secrets[i], folder, made(chosen[i]), policy) for i in range(count)]
        pause = SPREAD_SECONDS / max(count, 1)
        async with asyncio.TaskGroup() as group:
            for device in devices:
                if stop.is_set():
                    return
                await loop.run_in_executor(executor, device.enrol)
                group.create_task(device.run(executor, stop))
                await asyncio.sleep(pause)
            ready(count)


class Device:
    """One simulated device. Its folder is named after its number."""

    def __init__(self, url: str, key: str | None, folder: Path, made: Profile, policy: Policy) -> None:
        self._url, self._key, self._profile, self._policy = url, key, made, policy
        self._folder = folder / f"device-{made.number:06d}"

    def enrol(self) -> None:
        """Enrol, unless it is enrolled with this portal already. Blocks. Raises RefusedError, UnreachableError."""
        files.private_folder(self._folder)
        path = self._folder / ENROLMENT_FILE
        if path.exists() and load_enrolment(self._folder).url == self._url:
            return
        if self._key is None:
            raise UnreachableError(
                f"simulated device {self._profile.number} is not enrolled, and there is no key for it"
            )
        machine = self._profile.machine
        enroll(self._url, self._key, self._folder, name=machine.name, platform=machine.platform, policy=self._policy)

    async def run(self, executor: ThreadPoolExecutor, stop: asyncio.Event) -> None:
        """Run the agent on this device until `stop` is set."""
        held = status.hold(self._folder)
        clock = SteadyClock()
        host = FakeHost(self._profile, clock)
        enrolment, keys = load_enrolment(self._folder), load_keys(self._folder)
        agent = Agent(Parts(self._folder, enrolment, keys, host, clock, executor, self._log))
        try:
            await agent.run(stop)
        finally:
            status.let_go(held)

    def _log(self, level: str, text: str, **facts: str | int) -> None:
        if level in LEVELS:
            log.line(level, text, device=self._profile.machine.name, **facts)
