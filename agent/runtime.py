"""Carries out what the core asks for, and tells it what happened. All of the agent's input and output meets here.

In: an enrolled device's folder and host. Out: a running agent, until `stop` is set. Invariants: events reach the core
one at a time; work on the journal happens in the order asked; blocking work is done in worker threads; on the way out
running scripts are ended and their end is written down before the files close. It decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import msgspec

from agent import configuring, memory, run_folder, signing, status, wire
from agent import events as e
from agent.asking import Asking
from agent.attending import Attending
from agent.channel import BusyError, Channel, ClonedError, RevokedError
from agent.clock import Clock
from agent.core import CLONED, step
from agent.exchange import Answer, Exchange, UnreachableError, said
from agent.fence import Fence
from agent.host.base import Host
from agent.identity import Enrolment, Keys, save_enrolment
from agent.journal import Journal, Sent
from agent.local_journal import LocalJournal
from agent.orders import Job
from agent.pinning import adopt, trust_of
from agent.runner import Ended
from agent.state import State
from agent.telemetry import Telemetry
from agent.trail import Trail
from agent.uploading import Uploads
from agent.wire_configuration import Configuration, Fetch

T = TypeVar("T")
Logger = Callable[..., None]
SECOND = 1_000_000
PATIENCE = 15 * SECOND  # how long telemetry waits for the portal's time before it goes by its own
RETRY_SECONDS = 5.0
LONGEST_NAP = 60.0  # seconds, so that a sleep of the machine delays nothing for longer
LAST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What an agent is made of. `log(level, text, **facts)` writes a line; `executor` runs blocking work."""

    folder: Path
    enrolment: Enrolment
    keys: Keys
    host: Host
    clock: Clock
    executor: Executor
    log: Logger


class Agent:
    """One device's agent. `journal` and `outbox` files are open from the making to the end of `run`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        enrolment, host = parts.enrolment, parts.host
        run_folder.sweep(parts.folder / "runs")
        self._journal = Journal(parts.folder)
        self._local = LocalJournal(parts.folder)
        self._telemetry = Telemetry(parts.folder, enrolment.device, host, self._collector_failed)
        self._exchange = Exchange(enrolment, parts.keys, parts.clock)
        self._asking = Asking(self._exchange, self._blocking)
        self._fence, self._trail = Fence(parts.folder), Trail(parts.folder)
        self._attending = Attending(enrolment.device, host, parts.clock, lambda: self.state.offset, self.post)
        self.state = State(trust_of(enrolment, host.platform, host.simulated, self._fence.serials))
        self._uploads = Uploads(self._telemetry.outbox, self._ask, self.post, self._blocking, parts.log)
        self._journal_turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._running: dict[tuple[str, int], tuple[Event, asyncio.Task[None]]] = {}
        self._time_known = asyncio.Event()
        self._stopping = False
        self._notes = status.Notes(parts.folder)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end cleanly."""
        if (known := configuring.kept(self._parts.folder)) is not None:
            self.post(e.Configured(known))
        outbox = len(self._telemetry.outbox)
        self.post(e.Recovered(tuple(self._journal.known.values()), outbox, self._local.known()))
        self._spawn(self._collect())
        self._spawn(self._attending.look())
        try:
            await stop.wait()
        finally:
            await self._close()

    def post(self, event: e.Event) -> None:
        """Tell the core what happened, and begin what it asks for."""
        self.state, commands = step(self.state, event, self._parts.clock.now())
        for command in commands:
            if not self._stopping or isinstance(command, e.StoreReport | e.StoreLocalReport | e.Log):
                self._do(command)
        self._set_alarm()

    # --- carrying out --------------------------------------------------------------------------
    def _do(self, command: e.Command) -> None:
        match command:
            case e.OpenChannel():
                self._spawn(self._channel(), e.ChannelClosed())
            case e.SendPull(pull):
                self._spawn(self._pull(pull), e.Failed("pull", e.Failure.LATER))
            case e.FetchConfiguration(tag):
                self._spawn(self._configure(tag), e.Failed("config", e.Failure.LATER))
            case e.StoreIntent(job):
                self._spawn(self._store_intent(job))
            case e.StartProcess(job):
                cancelled = Event()
                self._running[job.run, job.attempt] = (cancelled, self._spawn(self._execute(job, cancelled)))
            case e.AskPerson(asked):
                self._attending.begin(asked, self._spawn)
            case e.StopProcess(run, attempt):
                self._attending.stop(run, attempt)
                if (run, attempt) in self._running:
                    self._running[run, attempt][0].set()
            case e.StoreReport() | e.StoreLocalReport():
                task = self._spawn(self._store_report(command))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)
            case e.SendReports():
                self._spawn(self._send_reports(command), e.Failed("reports", e.Failure.LATER))
            case e.SendBatch():
                self._spawn(self._uploads.send(), e.Failed("batch", e.Failure.LATER, left=1))
            case e.DropReport(report):
                self._spawn(self._drop_report(report))
            case e.DropBatch():
                self._spawn(self._uploads.drop())
            case e.ForgetOld(portal_now):
                self._spawn(self._forget(portal_now))
            case e.Log(level, text, facts):
                self._parts.log(level, text, **facts)

    def _set_alarm(self) -> None:
        """Have the core hear a tick when it next has something to do."""
        if self._alarm is not None and self._alarm_at == self.state.wake:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = self.state.wake
        pause = (self._alarm_at - self._parts.clock.now()) / SECOND
        self._alarm = asyncio.get_running_loop().call_later(min(max(pause, 0.02), LONGEST_NAP), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if not self._stopping:
            self.post(e.Tick())

    async def _channel(self) -> None:
        opened_at: list[int] = []

        def opened(offset: int, tag: str) -> None:
            opened_at.append(self._parts.clock.now())
            self._learn(offset)
            self.post(e.ChannelOpened(tag))

        failure, pause = e.Failure.LATER, 0
        try:
            stepped = partial(self._blocking, self._trail.after)
            channel = Channel(self._exchange, self._parts.keys, self._parts.clock, stepped)
            self._asking.channel = channel
            await channel.listen(opened, lambda: self.post(e.Nudged()), lambda tag: self.post(e.ConfigurationTold(tag)))
        except RevokedError:
            failure = e.Failure.REVOKED
        except ClonedError as error:
            failure, pause = e.Failure.CLONED, error.pause
        except BusyError as error:
            pause = error.pause
        except UnreachableError as error:
            self._parts.log("info", str(error))
        lived = self._parts.clock.now() - opened_at[0] if opened_at else 0
        self.post(e.ChannelClosed(failure, lived, pause))

    async def _pull(self, pull: wire.Pull) -> None:
        pull = msgspec.structs.replace(pull, step=self._trail.newest)
        if (work := await self._told("pull", wire.WORK, wire.encode(pull), wire.Work)) is not None:
            self.post(e.Pulled(work))

    async def _configure(self, tag: str) -> None:
        told = await self._told("config", wire.CONFIG, wire.encode(Fetch(tag)), Configuration)
        if told is None:
            return
        try:
            await self._blocking(self._adopt, told)
            await self._blocking(configuring.keep, self._parts.folder, told)
        except OSError as error:
            self._parts.log("error", f"the configuration cannot be kept: {error}")
            self.post(e.Failed("config", e.Failure.LATER))
        else:
            pinned = self._exchange.enrolment
            self.post(e.TrustChanged(pinned.portal_key, tuple(pinned.authors)))
            self.post(e.Configured(told))

    def _adopt(self, told: Configuration) -> None:
        shown = self._exchange.tls.shown if self._exchange.tls is not None else None
        pinned = adopt(self._exchange.enrolment, told, shown=shown)
        if pinned != self._exchange.enrolment:
            save_enrolment(self._parts.folder, pinned)
            self._exchange.enrolment = pinned

    async def _send_reports(self, asked: e.SendReports) -> None:
        body = wire.encode(wire.Reports(list(asked.reports), list(asked.local)))
        if (told := await self._told("reports", wire.REPORTS, body, wire.Verdicts)) is not None:
            await self._in_journal(self._note_sent, told.verdicts)
            self.post(e.ReportsTaken(tuple(told.verdicts)))

    async def _drop_report(self, report: wire.Report | wire.LocalReport) -> None:
        verdict = wire.Verdict(*signing.named(report), "refused", "the portal refused the message")
        await self._in_journal(self._note_sent, [verdict])
        self.post(e.ReportsTaken((verdict,)))

    async def _told(self, line: str, path: str, body: bytes, kind: type[T]) -> T | None:
        """The portal's message if it did what was asked; else the core knows."""
        answer = await self._ask(line, path, body)
        try:
            return None if answer is None else msgspec.json.decode(answer.body, type=kind)
        except msgspec.MsgspecError as error:
            self._parts.log("error", f"the portal's answer to {path} cannot be read: {error}")
            self.post(e.Failed(line, e.Failure.LATER))
            return None

    async def _ask(
        self, line: str, path: str, body: bytes, *, packed: bool = False, on_failure: Callable[[], None] = lambda: None
    ) -> Answer | None:
        """The portal's answer if it did what was asked; else the core knows."""
        try:
            answer = await self._asking.send(path, body, packed=packed)
        except UnreachableError as error:
            self._parts.log("info", str(error))
            on_failure()
            self.post(e.Failed(line, e.Failure.LATER, left=len(self._telemetry.outbox)))
            return None
        self._learn(answer.offset)
        if answer.status == 200:
            return answer
        self._parts.log("warning", f"the portal answers {answer.status} to {path}: {said(answer.body)}")
        on_failure()
        self.post(e.Failed(line, e.Failure.of(answer.status), answer.pause, len(self._telemetry.outbox)))
        return None

    def _learn(self, offset: int) -> None:
        self.post(e.TimeLearned(offset))
        self._time_known.set()

    # --- executions ----------------------------------------------------------------------------
    async def _store_intent(self, job: Job) -> None:
        try:
            await self._in_journal(self._write, signing.intent(job, self._parts.clock.now()), job)
        except OSError as error:
            self._parts.log("error", f"the journal cannot be written: {error}")
            self.post(e.IntentFailed(job))
        else:
            self.post(e.IntentStored(job))

    async def _execute(self, job: Job, cancelled: Event) -> None:
        loop = asyncio.get_running_loop()

        def started(at: int) -> None:
            loop.call_soon_threadsafe(self.post, e.ProcessStarted(job, at))

        def awaits(until: int | None) -> None:
            loop.call_soon_threadsafe(self.post, e.UserAwaited(job, until))

        try:
            ended = await self._parts.host.execute(job, started, cancelled, awaits)
        except Exception as error:
            self._parts.log("error", f"running a script failed: {error!r}", run=job.run)
            ended = Ended("failure", f"the agent failed to run the script: {type(error).__name__}")
        del self._running[job.run, job.attempt]
        if self._stopping and ended.state == "cancelled":
            ended = replace(
                ended, state="interrupted", detail="the agent was stopped while the script ran; it was ended"
            )
        self.post(e.ProcessEnded(job, ended))

    async def _store_report(self, draft: e.StoreReport | e.StoreLocalReport) -> None:
        record, stored = signing.signed(draft, self._parts.enrolment.device, self._parts.keys)
        while True:
            try:
                await self._in_journal(self._write, record)
                break
            except OSError as error:
                self._parts.log("error", f"a report waits, as the journal cannot be written: {error}")
                await asyncio.sleep(RETRY_SECONDS)
        self.post(stored)

    async def _forget(self, portal_now: int) -> None:
        try:
            keys = await self._in_journal(self._journal.forget, portal_now)
        except OSError:
            return
        if keys:
            self.post(e.Forgot(tuple(keys)))

    def _write(self, record: signing.Record, job: Job | None = None) -> None:
        """Write to the journal; where the disk is full, telemetry makes room."""
        while True:
            try:
                if job is not None:
                    self._fence.note(job.action, job.serial)
                signing.write(record, self._journal, self._local)
                return
            except OSError:
                if not self._telemetry.outbox.shed():
                    raise

    def _note_sent(self, verdicts: list[wire.Verdict]) -> None:
        for one in verdicts:
            with contextlib.suppress(OSError):  # then it is sent once more after a restart, and known there
                if not self._local.sent(one.run, one.attempt):
                    self._journal.write(Sent(one.run, one.attempt, one.state))

    async def _in_journal(self, function: Callable[..., T], *args: Any) -> T:
        async with self._journal_turn:
            return await self._blocking(function, *args)

    # --- telemetry, and the end ----------------------------------------------------------------
    async def _collect(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE / SECOND):
                await self._time_known.wait()
        while True:
            now = self._parts.clock.now()
            wake = now + SECOND
            try:
                async with self._uploads.turn:
                    queued, wake = await self._blocking(self._telemetry.run, now, self.state.offset)
                for _ in range(queued):
                    self.post(e.BatchQueued())
                if queued and not self._parts.host.simulated:
                    memory.give_back()
                await self._blocking(self._note_status)
            except Exception as error:
                self._collector_failed("anything", error)
                wake = now + 10 * SECOND
            await asyncio.sleep(max(wake - self._parts.clock.now(), 100_000) / SECOND)

    def _note_status(self) -> None:
        state, outbox = self.state, self._telemetry.outbox
        time, counts = state.portal_time(self._parts.clock.now()), (len(state.running), len(state.unsent))
        held = CLONED if state.cloned else None
        self._notes.take(status.Facts(time, state.channel_up, *counts, len(outbox), outbox.dropped, held))

    def _collector_failed(self, name: str, error: Exception) -> None:
        self._parts.log("error", f"collecting {name} failed: {error!r}")

    async def _blocking(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._parts.executor, function, *args)

    def _spawn(self, work: Coroutine[Any, Any, None], if_broken: e.Event | None = None) -> asyncio.Task[None]:
        """Begin some work. Should it fail in a way that nobody foresaw, the core hears `if_broken` and tries again
        later."""

        def finished(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._parts.log("error", f"the agent failed: {error!r}")
                if if_broken is not None and not self._stopping:
                    self.post(if_broken)

        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(finished)
        return task

    async def _close(self) -> None:
        self._stopping = True
        if self._alarm is not None:
            self._alarm.cancel()
        scripts = [task for _, task in self._running.values()]
        for cancelled, _ in self._running.values():
            cancelled.set()
        if scripts:
            await asyncio.wait(scripts, timeout=LAST_SECONDS)
        await self._attending.close(LAST_SECONDS)
        if self._writing:
            await asyncio.wait(set(self._writing), timeout=LAST_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=LAST_SECONDS)
        self._journal.close()
        self._local.close()
        self._telemetry.close()
