"""The load: devices connect, a run goes to all, telemetry comes in, the portal is restarted and killed; what it took.

In: what to do, on an empty folder or one that an earlier load left. Out: figures by name, and what the checker found.
Invariants: what is counted was checked (signatures by the devices, stored results by `check`); each figure is measured
from outside the portal, over the real wire.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from muster.api import Api
from muster.fleet import check, clients
from muster.fleet.device import CLOCK, Device, Ledger, private_key
from muster.fleet.portal import ACTION, Prepared, Server, agents, prepared
from muster.fleet.wires import Place
from storage.control.api import Control

PING_SECONDS = 45  # as agents do
PAUSE = 2.0  # seconds on average between two things that a client does
PATIENCE = 600  # seconds for what has to come to an end
Figures = dict[str, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do. `rate` is how many devices connect a second, `idle` how long they are only there."""

    data: Path
    devices: int
    seed: int = 1
    rate: int = 400
    idle: int = 10
    runs: int = 0  # of one real agent each
    fan_out: str = ""  # nudges: only told; results: run and answered
    senders: int = 0
    batches: int = 5
    rows: int = 1000
    restart: bool = False
    kill: bool = False
    clients: int = 0  # of other people, who ask for `client_seconds`
    client_seconds: int = 60


@dataclass(slots=True)
class Load:
    """One load. `say` hears what is going on."""

    wanted: Wanted
    say: Callable[[str], None]
    figures: Figures = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Do everything. Leaves the figures and what was wrong."""
        wanted = self.wanted
        real = 2 if wanted.runs or wanted.clients else 0
        ready = prepared(wanted.data, wanted.devices, wanted.seed, real, wanted.clients)
        server = Server(self.wanted.data)
        self.figures["start_seconds"] = server.start()
        try:
            asyncio.run(self._loaded(ready, server))
        finally:
            server.stop()

    async def _loaded(self, ready: Prepared, server: Server) -> None:
        ledger = Ledger(Place("127.0.0.1", server.port), ready.portal_key)
        fleet = [
            Device(number, uid, private_key(self.wanted.seed, number), ledger) for number, uid in enumerate(ready.uids)
        ]
        pinging = asyncio.create_task(_ping(fleet))
        lag = asyncio.create_task(self._lag())
        try:
            with ExitStack() as stack:
                person = Person(server.url)
                stack.callback(person.stop)
                await self._parts(Scene(ready, server, ledger, fleet, person))
        finally:
            pinging.cancel()
            lag.cancel()
            for device in fleet:
                device.close()
        self.wrong += ledger.problems

    async def _parts(self, scene: Scene) -> None:
        wanted = self.wanted
        await self._part("connect", scene, self._connect)
        if wanted.runs:
            await self._part("one by one", scene, self._one_by_one)
        if wanted.clients:
            await self._part("clients", scene, self._clients)
        if wanted.fan_out:
            await self._part("fan-out", scene, self._fan_out)
        if wanted.senders:
            await self._part("telemetry", scene, self._telemetry)
        if wanted.restart:
            await self._part("restart", scene, lambda scene: self._again(scene, signal.SIGTERM))
        if wanted.kill:
            await self._part("kill", scene, lambda scene: self._again(scene, signal.SIGKILL))

    async def _part(self, name: str, scene: Scene, part: Callable[[Scene], Awaitable[None]]) -> None:
        self.say(f"{name} ...")
        began, busy, person = time.monotonic(), scene.server.busy(), scene.person.mark()
        await part(scene)
        took = time.monotonic() - began
        word = name.replace(" ", "_").replace("-", "_")
        self.figures[f"{word}_seconds"] = took
        if (now := scene.server.busy()) >= busy:  # else it is another process
            self.figures[f"{word}_portal_cpu_share"] = (now - busy) / took
            self.figures[f"{word}_portal_cpu_seconds"] = now - busy
        for share, value in scene.person.since(person).items():
            self.figures[f"{word}_person_{share}"] = value

    # --- parts ---------------------------------------------------------------------------------
    async def _connect(self, scene: Scene) -> None:
        await asyncio.sleep(2)
        before, start = scene.server.memory(), scene.server.busy()
        began = time.monotonic()
        for place, device in enumerate(scene.fleet):
            scene.begin(device.connect())
            if place % 20 == 19:
                await asyncio.sleep(max(0.0, began + place / self.wanted.rate - time.monotonic()))
        await scene.all_connected(PATIENCE)
        self.figures["connect_all_seconds"] = time.monotonic() - began
        await asyncio.sleep(3)
        self.figures["connects_per_cpu_second"] = len(scene.fleet) / max(0.01, scene.server.busy() - start)
        busy, began = scene.server.busy(), time.monotonic()
        await asyncio.sleep(self.wanted.idle)
        self.figures["idle_portal_cpu_share"] = (scene.server.busy() - busy) / (time.monotonic() - began)
        self.figures["connected"] = scene.ledger.connected
        self.figures["bytes_each"] = (scene.server.memory() - before) / max(1, len(scene.fleet))
        self.figures["portal_mib"] = scene.server.memory() / (1 << 20)

    async def _one_by_one(self, scene: Scene) -> None:
        """Runs of one real agent each, one after the other: from created to started."""
        async with self._agents(scene) as uids:
            took = [await self._one(scene, uids[place % len(uids)]) for place in range(self.wanted.runs)]
        self._started_after(took)

    @asynccontextmanager
    async def _agents(self, scene: Scene) -> AsyncIterator[list[str]]:
        """Real agents at work; their uids."""
        children = await asyncio.to_thread(agents, scene.server.url, scene.ready.agents, self.wanted.data / "agents")
        try:
            uids = await asyncio.to_thread(check.enrolled_agents, self.wanted.data)
            await asyncio.sleep(6)  # they come, and tell their first facts
            yield uids
        finally:
            for child in children:
                child.terminate()
                await asyncio.to_thread(child.wait)

    def _started_after(self, took: list[float], name: str = "") -> None:
        took.sort()
        self.figures[f"{name}created_to_started_count"] = float(len(took))
        self.figures[f"{name}created_to_started_p50_ms"] = took[len(took) // 2]
        self.figures[f"{name}created_to_started_p99_ms"] = took[min(len(took) - 1, len(took) * 99 // 100)]

    async def _clients(self, scene: Scene) -> None:
        """Other people's clients at work, and meanwhile runs of one real agent each."""
        wanted, ready = self.wanted, scene.ready
        task = clients.Task(
            scene.server.url, ready.credentials, ready.uids, ACTION, wanted.client_seconds, PAUSE, wanted.seed
        )
        took = list[float]()
        async with self._agents(scene) as uids:
            begun = asyncio.Event()
            asking = asyncio.create_task(clients.measured(task, begun))
            await begun.wait()
            ends = time.monotonic() + wanted.client_seconds  # and not while the last of them end
            while not asking.done() and (time.monotonic() < ends or not took):
                took.append(await self._one(scene, uids[len(took) % len(uids)]))
            done = await asking
        self.figures |= clients.figures(done, wanted.client_seconds)
        self._started_after(took, "clients_")
        self.wrong += clients.wrong(done)

    async def _one(self, scene: Scene, uid: str) -> float:
        run = await scene.ask({"devices": [uid]})
        with check.reading(self.wanted.data) as control:
            return await asyncio.to_thread(_started, control, run, uid)

    async def _fan_out(self, scene: Scene) -> None:
        """One run for all."""
        ledger = scene.ledger
        nudges, results, ledger.answering = ledger.nudges, ledger.results, self.wanted.fan_out == "results"
        began, busy = CLOCK.now(), scene.server.busy()
        run = await scene.ask({"nql": 'devices | where name == "load-*" | list name'})
        self.figures["fan_out_request_seconds"] = (CLOCK.now() - began) / 1e6
        with check.reading(self.wanted.data) as control:
            created = control.runs.run(run).requested_at
        await _until(lambda: ledger.nudges - nudges >= len(scene.fleet), PATIENCE)
        self.figures["fan_out_nudged_seconds"] = (ledger.nudged_at - created) / 1e6
        if not ledger.answering:
            await scene.call(lambda api: api.post(f"/runs/{run}/cancel", {}))
            ledger.answering = True
            return
        await _until(lambda: ledger.results - results >= len(scene.fleet), PATIENCE)
        whole = (CLOCK.now() - created) / 1e6
        self.figures["fan_out_done_seconds"] = whole
        self.figures["results_per_second"] = (ledger.results - results) / whole
        self.figures["results_per_cpu_second"] = (ledger.results - results) / max(0.01, scene.server.busy() - busy)
        self.wrong += await asyncio.to_thread(check.results, self.wanted.data, run, scene.ready.uids)

    async def _telemetry(self, scene: Scene) -> None:
        wanted, ledger = self.wanted, scene.ledger
        senders, start = scene.fleet[: wanted.senders], CLOCK.now() // 60_000_000 * 60_000_000
        folder = wanted.data / "outboxes" / str(start)
        before = await scene.call(check.spent)
        rows, began, busy = ledger.rows, time.monotonic(), scene.server.busy()
        done = await asyncio.gather(
            *(device.measure(folder, wanted.rows, wanted.batches, start) for device in senders), return_exceptions=True
        )
        took = time.monotonic() - began
        self.wrong += [f"telemetry: {one!r}" for one in done if isinstance(one, BaseException)][:20]
        self.figures["rows_per_second"] = (ledger.rows - rows) / took
        self.figures["rows_per_cpu_second"] = (ledger.rows - rows) / max(0.01, scene.server.busy() - busy)
        self.figures["batches_per_second"] = wanted.batches * len(senders) / took
        each, told = wanted.rows * wanted.batches, ledger.rows - rows
        self.wrong += [] if told == each * len(senders) else [f"the portal says {told} rows of {each * len(senders)}"]
        spent = await scene.call(check.spent)
        self.wrong += check.telemetry(spent - before, range(len(senders)), each)

    async def _again(self, scene: Scene, number: signal.Signals) -> None:
        """End the portal and start it again on the same port; until all devices are back."""
        name = number.name.lower()
        port, greeted = scene.server.port, scene.ledger.greeted
        await asyncio.to_thread(scene.server.stop, number)
        mark = scene.person.mark()
        self.figures[f"{name}_to_serving_seconds"] = await asyncio.to_thread(scene.server.start, port)
        began = time.monotonic()
        await _until(lambda: scene.ledger.greeted - greeted >= len(scene.fleet), PATIENCE)
        await scene.all_connected(PATIENCE)
        self.figures[f"{name}_all_back_seconds"] = time.monotonic() - began
        errors = scene.person.errors_after_the_first_answer(mark)
        self.figures[f"{name}_person_errors"] = errors

    async def _lag(self) -> None:
        """How late this process is, as a share of the figures' trust."""
        worst = 0.0
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.1)
            worst = max(worst, time.monotonic() - began - 0.1)
            self.figures["load_process_worst_lag_ms"] = worst * 1000


@dataclass(slots=True)
class Scene:
    """What the parts work with."""

    ready: Prepared
    server: Server
    ledger: Ledger
    fleet: list[Device]
    person: Person
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, work: Any) -> None:
        """Have something happen."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def call(self, work: Callable[[Api], T]) -> T:
        """Ask the portal as the account of the load."""

        def asked() -> T:
            with Api(self.server.url, self.ready.token) as api:
                return work(api)

        return await asyncio.to_thread(asked)

    async def all_connected(self, seconds: float) -> None:
        """Wait for everybody. Raises TimeoutError."""
        await _until(lambda: self.ledger.connected >= len(self.fleet), seconds)

    async def ask(self, target: dict[str, Any]) -> str:
        """Begin a run; its id."""
        body = {"action": ACTION, "allow_draft": True, "target": target}
        told = await self.call(lambda api: api.post("/runs", body))
        return str(told["run"]["id"])


class Person:
    """Somebody who asks the portal for something small, ten times a second."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-m", "muster.fleet.sampler", url]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._seen: list[tuple[float, float, int]] = []
        self._task = asyncio.create_task(asyncio.to_thread(self._read))

    def mark(self) -> int:
        """A place to count from."""
        return len(self._seen)

    def since(self, mark: int) -> Figures:
        """Milliseconds of answers since then."""
        took = sorted(ms for _, ms, status in self._seen[mark:] if status == 200)
        if not took:
            return {}
        return {"p50_ms": took[len(took) // 2], "p99_ms": took[len(took) * 99 // 100], "max_ms": took[-1]}

    def errors_after_the_first_answer(self, mark: int) -> int:
        """How often it was refused after the portal had answered once."""
        statuses = [status for _, _, status in self._seen[mark:]]
        first = statuses.index(200) if 200 in statuses else 0
        return sum(status != 200 for status in statuses[first:])

    def stop(self) -> None:
        """Leave."""
        _end(self._child)

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            began, took, status = json.loads(line)
            self._seen.append((began, took, status))


def measure(data: Path, options: Mapping[str, Any], say: Callable[[str], None]) -> tuple[Figures, list[str]]:
    """Do what is wanted; the figures, and what is wrong. The process may open as many sockets as the system lets it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    load = Load(Wanted(data, **options), say)
    load.run()
    return load.figures, load.wrong


async def _ping(fleet: list[Device]) -> None:
    while True:
        step = max(1, len(fleet) // PING_SECONDS)
        for start in range(0, len(fleet), step):
            for device in fleet[start : start + step]:
                device.ping()
            await asyncio.sleep(1)


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


def _started(control: Control, run: str, uid: str) -> float:
    deadline = time.monotonic() + 30
    while (found := control.executions.execution(run, uid)).finished_at is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if found.started_at is None:
        raise TimeoutError(f"the run {run} did not start within 30 seconds")
    return (found.started_at - control.runs.run(run).requested_at) / 1000


def _end(child: subprocess.Popen[Any]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(15)
    child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
