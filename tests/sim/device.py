"""A simulated device: the real core over its real journal, and around them a runtime that misbehaves as machines do.

In: what the network brings. Out: what the core asks to send. Invariants: the core hears the same events in the same
order of causes as from the real runtime; a journal that was written stays over a crash, and a record that was being
written is torn. Scripts are not run: how long they take and how they end is drawn when they start, and the ledger
notes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from agent import core, frames, signing, wire
from agent import events as e
from agent.identity import Enrolment, Keys
from agent.journal import Filed, Intent, Journal, Sent
from agent.local_journal import LocalJournal
from agent.orders import Job
from agent.pinning import adopt, trust_of
from agent.runner import Ended
from agent.state import State
from agent.trail import Trail
from agent.wire_configuration import EMPTY, Configuration, Fetch
from portal.nudges import CLONED, GOING_AWAY, OVERTAKEN, REVOKED
from tests.sim.ledger import End, Key
from tests.sim.network import Ask, Cable, ClonedError, LostError, Network, RevokedError
from tests.sim.portal import Portal

T = TypeVar("T")
SECOND = 1_000_000
RETRY_SECONDS = 5.0
CHANNEL_SECONDS = 3 * 3600.0  # that a channel lives on average
HELLO_SECONDS = 15.0  # that a portal waits for a device to show itself
CLONED_PAUSE = 60 * SECOND
FOR_EVER = 1e9


@dataclass(frozen=True)
class Identity:
    """What a device begins with. `skew` is how far its clock is off."""

    pinned: Enrolment
    keys: Keys
    skew: int


class Device:
    """One device. It is off until `boot`."""

    def __init__(self, identity: Identity, network: Network, folder: Path) -> None:
        self.identity, self.net, self._folder = identity, network, folder
        self.alive = False
        self.full = False  # the disk
        self.wall = identity.skew  # how far the wall clock is off now; a running agent does not look at it
        self.state: State
        self.journal: Journal
        self.trail: Trail
        self._base = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._scripts: dict[tuple[str, int], asyncio.Event] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0
        self._half_written: bytes | None = None
        self._serials: dict[str, int] = {}
        self._pinned = identity.pinned
        self._kept = Configuration(EMPTY)

    @property
    def uid(self) -> str:
        """Its uid."""
        return self.identity.pinned.device

    @property
    def now(self) -> int:
        """The agent's clock: the wall clock of its start, and from there on the machine's uptime."""
        return self.net.now + self._base

    # --- life ----------------------------------------------------------------------------------
    def boot(self) -> None:
        """Start the agent."""
        self.alive, self._base = True, self.wall
        self.journal, self.local = Journal(self._folder), LocalJournal(self._folder)
        self.trail = Trail(self._folder)
        self._turn = asyncio.Lock()
        self.state = State(trust_of(self._pinned, "linux", False, dict(self._serials)))
        if self._kept.tag != EMPTY:
            self.post(e.Configured(self._kept))
        self.post(e.Recovered(tuple(self.journal.known.values()), 0, self.local.known()))

    def copy(self, folder: Path) -> Device:
        """Another machine with all that this one has on its disk."""
        shutil.copytree(self._folder, folder)
        made = Device(self.identity, self.net, folder)
        made._serials, made._pinned, made._kept = dict(self._serials), self._pinned, self._kept
        made.wall = self.wall
        return made

    def kill(self) -> None:
        """The power goes: the agent and its scripts end, and what was being written is torn."""
        if not self.alive:
            return
        self.net.ledger.crashes[self.uid] += 1
        self.net.ledger.running[self.uid] = 0
        self.end()
        if self._half_written is not None:
            torn = frames.frame(self._half_written)
            with (self._folder / "work.log").open("ab") as file:
                file.write(torn[: self.net.random.randrange(len(torn))])
        self._half_written = None

    def end(self) -> None:
        """Do nothing more."""
        if not self.alive:
            return
        self.alive = False
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._scripts.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, 0
        self.journal.close()
        self.local.close()

    def post(self, event: e.Event) -> None:
        """Tell the core, and do what it asks."""
        if not self.alive:
            return
        self.state, commands = core.step(self.state, event, self.now)
        for command in commands:
            self._do(command)
        self._set_alarm()

    def _set_alarm(self) -> None:
        if not self.alive or (self._alarm is not None and self._alarm_at == self.state.wake):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = self.state.wake
        pause = max((self._alarm_at - self.now) / SECOND, 0.02)
        self._alarm = asyncio.get_running_loop().call_later(pause, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.post(e.Tick())
        if self.alive and self.state.wake <= self.now:
            self.net.ledger.problem(f"device {self.uid[-6:]} wakes again at once, and for nothing")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.net.ledger.problem(f"device {self.uid[-6:]}: {error!r}")

    def _do(self, command: e.Command) -> None:
        match command:
            case e.OpenChannel():
                self._spawn(self._channel())
            case e.SendPull(pull):
                self._spawn(self._pull(pull))
            case e.SendReports():
                self._spawn(self._send_reports(wire.Reports(list(command.reports), list(command.local))))
            case e.FetchConfiguration(tag):
                self._spawn(self._configure(Fetch(tag)))
            case e.StoreIntent(job):
                self._spawn(self._store_intent(job))
            case e.StoreReport() | e.StoreLocalReport():
                self._spawn(self._store_report(command))
            case e.StartProcess(job):
                stop = self._scripts[job.run, job.attempt] = asyncio.Event()
                self._spawn(self._script(job, stop))
            case e.StopProcess(run, attempt):
                if (run, attempt) in self._scripts:
                    self._scripts[run, attempt].set()
            case e.DropReport(report):
                self._spawn(self._drop(report))
            case e.ForgetOld(portal_now):
                self._spawn(self._forget(portal_now))
            case _:
                pass

    # --- the network ---------------------------------------------------------------------------
    async def _channel(self) -> None:
        """One connection, from dialling to its end."""
        opened, failure, cable = 0, e.Failure.LATER, Cable()
        try:
            portal = await self.net.reach(self.uid)
            welcome = portal.welcome(self.uid)
            trail = await self._stepped(welcome.last)
            hello = partial(portal.hello, self.uid, cable, trail, welcome.before)
            if self.net.fails():  # the connection breaks, and what was said last arrives nevertheless, some time later
                asyncio.get_running_loop().call_later(self.net.random.uniform(0, HELLO_SECONDS), hello)
                cable.close(OVERTAKEN)
            else:
                self.net.deliver(hello)
            opened = self.now
            self._learn(portal)
            self.post(e.ChannelOpened(welcome.tag))
            try:
                await self._listen(portal, cable)
            finally:
                portal.left(self.uid, cable)
        except LostError:
            pass
        except RevokedError:
            failure = e.Failure.REVOKED
        except ClonedError:
            failure = e.Failure.CLONED
        pause = CLONED_PAUSE if failure is e.Failure.CLONED else 0
        self.post(e.ChannelClosed(failure, self.now - opened if opened else 0, pause))

    async def _stepped(self, last: str) -> tuple[str, ...]:
        """The trail to greet with; while it is written the power may go, and on a full disk nothing is."""
        await asyncio.sleep(self.net.pause(0.5))
        if not self.full:
            self.trail.after(last)
        await asyncio.sleep(self.net.pause(0.5))
        return self.trail.steps

    async def _listen(self, portal: Portal, cable: Cable) -> None:
        lives = FOR_EVER if self.net.peace else self.net.random.expovariate(1 / CHANNEL_SECONDS)
        loop = asyncio.get_running_loop()
        cut = loop.call_later(lives, cable.close, GOING_AWAY)
        mute = loop.call_later(HELLO_SECONDS, lambda: None if cable.greeted else cable.close(OVERTAKEN))
        try:
            while await cable.wait() and self.net.linked(self.uid):
                if cable.nudged:
                    self.net.deliver(lambda: self.post(e.Nudged()))
                if cable.configured:
                    told = portal.tag(self.uid)
                    self.net.deliver(partial(self._hear, told))
                cable.nudged = cable.configured = False
        finally:
            cut.cancel()
            mute.cancel()
        if cable.closed == REVOKED:
            raise RevokedError
        if cable.closed == CLONED:
            raise ClonedError

    def _hear(self, tag: str) -> None:
        self.post(e.ConfigurationTold(tag))

    async def _pull(self, pull: wire.Pull) -> None:
        pull = msgspec.structs.replace(pull, step=self.trail.newest)
        if (
            work := await self._ask("pull", lambda portal: portal.work(self.uid, pull, self._pinned.portal_key))
        ) is not None:
            self.post(e.Pulled(work))

    async def _send_reports(self, reports: wire.Reports) -> None:
        if (told := await self._ask("reports", lambda portal: portal.reports(self.uid, reports))) is not None:
            await self._note_sent(told.verdicts)

    async def _configure(self, asked: Fetch) -> None:
        told = await self._ask("config", lambda portal: portal.configuration(self.uid, asked))
        if told is not None:
            self._pinned, self._kept = adopt(self._pinned, told), told
            self.post(e.TrustChanged(self._pinned.portal_key, tuple(self._pinned.authors)))
            self.post(e.Configured(told))

    async def _ask(self, line: str, ask: Ask[T]) -> T | None:
        """The portal's answer; else the core knows that there is none."""
        try:
            portal, answer = await self.net.exchange(self.uid, ask)
        except LostError:
            self.post(e.Failed(line, e.Failure.LATER))
        except RevokedError:
            self.post(e.Failed(line, e.Failure.REVOKED))
        except ClonedError:
            self.post(e.Failed(line, e.Failure.CLONED, CLONED_PAUSE))
        else:
            self._learn(portal)
            return answer
        return None

    def _learn(self, portal: Portal) -> None:
        self.post(e.TimeLearned(portal.clock() - self.now))

    async def _note_sent(self, verdicts: Iterable[wire.Verdict]) -> None:
        async with self._turn:
            for one in (verdicts := tuple(verdicts)):
                with contextlib.suppress(OSError):
                    await self._disk(b"")
                    if not self.local.sent(one.run, one.attempt):
                        self.journal.write(Sent(one.run, one.attempt, one.state))
        self.post(e.ReportsTaken(verdicts))

    async def _drop(self, report: wire.Report | wire.LocalReport) -> None:
        await self._note_sent([wire.Verdict(*signing.named(report), "refused", "the portal refused the message")])

    # --- the disk ------------------------------------------------------------------------------
    async def _disk(self, record: bytes) -> None:
        """The time that a write takes; on a full disk it fails more often than not. Raises OSError."""
        self._half_written = record
        await asyncio.sleep(self.net.pause(0.5))
        self._half_written = None
        if self.full and self.net.random.random() < 0.7:
            raise OSError(28, "no space left")

    async def _write(self, record: signing.Record) -> None:
        await self._disk(wire.encode(record) if isinstance(record, Intent | Filed) else b"")
        signing.write(record, self.journal, self.local)

    async def _store_intent(self, job: Job) -> None:
        async with self._turn:
            try:
                self._serials[job.action] = max(job.serial, self._serials.get(job.action, 0))
                await self._write(signing.intent(job, self.now))
            except OSError:
                self.post(e.IntentFailed(job))
                return
            await asyncio.sleep(self.net.pause(0.5))
        self.post(e.IntentStored(job))

    async def _store_report(self, draft: e.StoreReport | e.StoreLocalReport) -> None:
        record, stored = signing.signed(draft, self.uid, self.identity.keys)
        while True:
            try:
                async with self._turn:
                    await self._write(record)
                    break
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
        if draft.state not in ("in_progress", "waiting_on_user"):
            run, attempt, _ = signing.named(stored.report)
            self.net.ledger.said[self.uid, run, attempt].append(draft.state)
        self.post(stored)

    async def _forget(self, portal_now: int) -> None:
        with contextlib.suppress(OSError):
            keys = self.journal.forget(portal_now)
            if keys:
                self.post(e.Forgot(tuple(keys)))

    # --- scripts -------------------------------------------------------------------------------
    async def _script(self, job: Job, stop: asyncio.Event) -> None:
        key: Key = (self.uid, job.run, job.attempt)
        ledger, chance, began = self.net.ledger, self.net.random, self.now
        ledger.start(key, self.net.now)
        self.net.tell(f"the script of {job.action} starts: {self.uid[-6:]} {job.run[-6:]} attempt {job.attempt}")
        await asyncio.sleep(0.01)
        self.post(e.ProcessStarted(job, began))
        state: wire.State = "success" if chance.random() < 0.7 else "failure"
        if job.content.campaigns and not await _within(stop, chance.expovariate(1 / 5)):
            self.post(e.UserAwaited(job, self.now + 3600 * SECOND))
            if not await _within(stop, chance.expovariate(1 / 300)):
                self.post(e.UserAwaited(job, None))
        if stop.is_set() or await _within(stop, chance.expovariate(1 / 20)):
            state = "cancelled"
        number = chance.randrange(1 << 31)
        ledger.ends[key] = End(state, number)
        ledger.running[self.uid] -= 1
        del self._scripts[job.run, job.attempt]
        self.post(e.ProcessEnded(job, Ended(state, "", 0, {"n": number}, "", began, self.now)))


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether something happened within so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
