"""A simulated world: the real core, journal and control database, a virtual clock, a transport that misbehaves.

Comes in: a seed. Goes out: what happened, for the test to judge: how often each script started, what the portal stored,
what the journal holds. Invariant: one seed gives one history; the only things that are not real are time, the
network, the scripts and the moment a disk write takes.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import core, statements, wire
from agent import events as e
from agent.journal import Filed, Intent, Journal, Sent
from agent.orders import Trust
from agent.runner import Ended
from agent.state import State as DeviceState
from storage.control.api import Control
from storage.control.manifest import Manifest
from storage.control.outcomes import Outcome
from storage.control.runs import Run, RunRequest
from storage.control.states import State

SECOND = 1_000_000
START = 1_800_000_000 * SECOND
SKEW = 37 * SECOND  # how far the device's clock is behind the portal's
MANIFEST = msgspec.convert(
    {
        "nql_id": "#sim",
        "name": "Sim",
        "scripts": {"linux": {"language": "bash", "text": "true\n"}},
        "timeout": 120,
        "outputs": [{"name": "n", "type": "uint32"}],
    },
    Manifest,
)


class World:
    """One portal and one device. `faults` is how likely each thing on the way goes wrong."""

    def __init__(self, seed: int, folder: Path, *, faults: float = 0.25) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.now = START
        self.control = Control(f"sqlite:///{folder}/control.db", now=START)
        self.portal_key = Ed25519PrivateKey.generate()
        self.device_key = Ed25519PrivateKey.generate()
        self.device = self._enrol()
        self.control.actions.save_action(MANIFEST, by="sim", now=START)
        self.starts: Counter[tuple[str, int]] = Counter()
        self.ends: dict[tuple[str, int], str] = {}
        self.accepted: Counter[tuple[str, int]] = Counter()
        self.crashes = 0
        self.up = True
        self._folder = folder / "device"
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._life = 0
        self.state: DeviceState
        self._boot()

    # --- time ----------------------------------------------------------------------------------
    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Have something happen later."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + round(seconds * SECOND), self._count, work))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + round(seconds * SECOND)
        while self._queue and self._queue[0][0] <= end:
            self.now, _, work = heapq.heappop(self._queue)
            work()
        self.now = end

    def pause(self, most: float = 2.0) -> float:
        """A random time, mostly short."""
        return self.random.expovariate(8 / most)

    def fails(self) -> bool:
        """Whether something goes wrong now."""
        return self.random.random() < self.faults

    # --- the portal ----------------------------------------------------------------------------
    def ask(self, expires: float = 3600) -> Run:
        """Somebody asks for a run on the device."""
        request = RunRequest("#sim", (self.device,), "ann", self.now + round(expires * SECOND), trigger_method="manual")
        run, _ = self.control.create_run(request, now=self.now)
        self.nudge()
        return run

    def nudge(self) -> None:
        """Nudge the device, if it is connected; the nudge may get lost."""
        if self.state.channel_up and not self.fails():
            self.after(self.pause(), self._for_this_life(lambda: self.post(e.Nudged())))

    def tick(self) -> None:
        """The portal's slow tick."""
        self.control.deadlines.tick(now=self.now)
        if self.device in self.control.dispatch.waiting_devices(now=self.now):
            self.nudge()
        self.after(20, self.tick)

    def work(self, pull: wire.Pull) -> wire.Work:
        """What the portal answers to a pull."""
        held = [(item.run, item.attempt) for item in pull.held]
        found = self.control.dispatch.claim_work(self.device, now=self.now, held=held) if pull.room else []
        orders = [
            wire.Order(
                o.run, o.device, o.attempt, o.nonce, o.expires_at, o.action, o.version,
                msgspec.Raw(o.content.encode()), o.parameters, bytes(64),
            )
            for o in found
        ]  # fmt: skip
        signed = [msgspec.structs.replace(o, signature=self.portal_key.sign(statements.order_bytes(o))) for o in orders]
        cancels = []
        for item in self.control.dispatch.cancellations(self.device):
            named = (item.run, self.device, item.attempt, item.nonce)
            cancels.append(wire.Cancel(*named, self.portal_key.sign(statements.cancel_bytes(*named))))
        return wire.Work(signed, cancels, more=len(signed) >= pull.room)

    def reports(self, reports: tuple[wire.Report, ...]) -> tuple[wire.Verdict, ...]:
        """What the portal answers to reports."""
        verdicts = []
        for item in reports:
            told = msgspec.json.decode(item.outcome, type=wire.Outcome)
            named = (item.run, self.device, item.attempt)
            if item.state == "in_progress":
                said = self.control.dispatch.record_started(*named, started_at=told.started_at or 0, now=self.now)
            else:
                outcome = Outcome(State(item.state), told.exit_code, told.outputs, None, told.detail)
                said = self.control.dispatch.record_finished(*named, outcome, now=self.now)
                self.accepted[item.run, item.attempt] += said.value == "accepted"
            verdicts.append(wire.Verdict(item.run, item.attempt, item.state, said.value))
        return tuple(verdicts)

    def _enrol(self) -> str:
        made = self.control.enrolment.create_enrol_keys(1, simulated=False, expires_at=START + 1, by="sim", now=START)
        key = self.device_key.public_key().public_bytes_raw()
        return self.control.enrolment.consume_enrol_key(made[0][1], key, key, "pc", now=START).uid

    # --- the network ---------------------------------------------------------------------------
    def exchange(self, portal: Callable[[], Any], answered: Callable[[Any], None], failed: Callable[[], None]) -> None:
        """A request and its answer: lost, late, or the request twice."""
        answered, failed = self._for_this_life(answered), self._for_this_life(failed)

        def arrive() -> None:
            if not self.up:
                self.after(self.pause(), failed)
                return
            answer = portal()
            if self.fails():
                self.after(30, failed)
            else:
                self.after(self.pause(), lambda: answered(answer))

        if self.fails():
            self.after(30, failed)
            return
        if self.fails():
            self.after(self.pause(20), lambda: portal() if self.up else None)  # a copy that goes around
        self.after(self.pause(), arrive)

    # --- the device ----------------------------------------------------------------------------
    def post(self, event: e.Event) -> None:
        """Tell the core, and do what it asks."""
        self.state, commands = core.step(self.state, event, self.now - SKEW)
        for command in commands:
            self._do(command)

    def crash(self) -> None:
        """The agent is killed, and its scripts with it; it starts anew from its disk."""
        self.crashes += 1
        self.journal.close()
        self._boot()

    def _boot(self) -> None:
        self._life += 1
        self.journal = Journal(self._folder)
        self.ending: dict[tuple[str, int], Callable[[], None]] = {}
        key = self.portal_key.public_key().public_bytes_raw()
        self.state = DeviceState(Trust(self.device, key, (), "linux", policy="unrestricted"))
        self.post(e.Recovered(tuple(self.journal.known.values())))
        self._alarm(self._life)

    def _alarm(self, life: int) -> None:
        if self._life == life:
            if self.state.wake <= self.now - SKEW:
                self.post(e.Tick())
            self.after(min(max(0.05, (self.state.wake - self.now + SKEW) / SECOND), 1.0), lambda: self._alarm(life))

    def _for_this_life(self, work: Callable[..., None]) -> Callable[..., None]:
        life = self._life

        def guarded(*arguments: Any) -> None:
            if self._life == life:
                work(*arguments)

        return guarded

    def _do(self, command: e.Command) -> None:
        match command:
            case e.OpenChannel():
                self._open_channel()
            case e.SendPull(pull):
                failed = e.Failed("pull", e.Failure.LATER)
                self.exchange(lambda: self.work(pull), self._pulled, lambda: self.post(failed))
            case e.SendReports(reports):
                failed = e.Failed("reports", e.Failure.LATER)
                self.exchange(lambda: self.reports(reports), self._taken, lambda: self.post(failed))
            case e.StoreIntent(job):
                self._write(Intent(job.run, job.attempt, job.nonce, job.expires_at, "#sim", 0), e.IntentStored(job))
            case e.StoreReport():
                self._store_report(command)
            case e.StartProcess(job):
                self._start(job)
            case e.StopProcess(run, attempt):
                self.ending.get((run, attempt), lambda: None)()
            case e.ForgetOld(portal_now):
                self.post(e.Forgot(tuple(self.journal.forget(portal_now))))
            case _:
                pass

    def _open_channel(self) -> None:
        def opened() -> None:
            self.post(e.TimeLearned(SKEW))
            self.post(e.ChannelOpened())
            if self.device in self.control.dispatch.waiting_devices(now=self.now):
                self.nudge()
            self.after(self.random.expovariate(1 / 300), self._for_this_life(lambda: self.post(e.ChannelClosed())))

        done = opened if self.up and not self.fails() else lambda: self.post(e.ChannelClosed())
        self.after(self.pause(), self._for_this_life(done))

    def _pulled(self, work: wire.Work) -> None:
        self.post(e.TimeLearned(SKEW))
        self.post(e.Pulled(work))

    def _taken(self, verdicts: tuple[wire.Verdict, ...]) -> None:
        for one in verdicts:
            self.journal.write(Sent(one.run, one.attempt, one.state))
        self.post(e.ReportsTaken(verdicts))

    def _write(self, record: Intent | Filed, event: e.Event) -> None:
        def stored() -> None:
            self.journal.write(record)
            self.after(self.pause(0.5), self._for_this_life(lambda: self.post(event)))

        self.after(self.pause(0.5), self._for_this_life(stored))

    def _store_report(self, draft: e.StoreReport) -> None:
        outcome = wire.encode(draft.outcome)
        report = wire.Report(draft.run, draft.attempt, draft.nonce, draft.state, msgspec.Raw(outcome), bytes(64))
        self._write(Filed(report, draft.expires_at), e.ReportStored(report, draft.expires_at))

    def _start(self, job: Any) -> None:
        key = (job.run, job.attempt)
        self.starts[key] += 1
        began = self.now - SKEW
        self.after(0.01, self._for_this_life(lambda: self.post(e.ProcessStarted(job, began))))

        def ended(state: Any) -> None:
            if self.ending.pop(key, None) is not None:
                self.ends[key] = state
                self.post(e.ProcessEnded(job, Ended(state, "", 0, {"n": 1}, "", began, self.now - SKEW)))

        self.ending[key] = lambda: self.after(0.1, self._for_this_life(lambda: ended("cancelled")))
        self.after(self.random.expovariate(1 / 20), self._for_this_life(lambda: ended("success")))
