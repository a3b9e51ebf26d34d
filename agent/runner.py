"""Runs the script of a job on this machine, within limits, and says truthfully how it ended.

In: a job that `orders` let through. Out: `Ended`. Invariants: the script's own supervisor ends every process it
started before the result is known (`agent.supervisor`); what a script writes is bounded in memory and never parsed but
for the output pipe; whatever it does, the answer is an `Ended`. Blocks: runs in a thread of its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import outputs, secret_values, wire
from agent.accounts import Account, AccountError, Accounts
from agent.campaigns.desk import Desk
from agent.campaigns.questions import LONGEST
from agent.campaigns.talk import Awaits, Talk
from agent.clock import Clock
from agent.orders import Job
from agent.redaction import Redactor
from agent.run_folder import SEARCH, RunFolder
from agent.secret_values import SecretError

GRACE_SECONDS = 2.0
MOST_PROCESSES = 512
ERROR_HEAD, ERROR_TAIL = 1000, 2900
SLOW_AFTER = 1 << 20  # bytes of a stream, from which on it is read slowly
PLATFORM = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")
Started = Callable[[int], None]


def unheard(until: int | None) -> None:
    """Told of a wait for the user by a run whose caller does not care."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended. Times are those of the agent's clock."""

    state: wire.State
    detail: str = ""
    exit_code: int | None = None
    outputs: dict[str, wire.Value] = field(default_factory=dict)
    error: str = ""
    started_at: int | None = None
    finished_at: int | None = None


@dataclass(slots=True)
class _Stream:
    """What is kept of a stream: its beginning and its end."""

    head_bytes: int
    tail_bytes: int = 0
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    total: int = 0
    redactor: Redactor = field(default_factory=lambda: Redactor({}))

    def take(self, data: bytes) -> None:
        self._keep(self.redactor.feed(data))

    def end(self) -> None:
        self._keep(self.redactor.rest())

    def _keep(self, data: bytes) -> None:
        self.total += len(data)
        room = self.head_bytes - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > 2 * self.tail_bytes:
            del self.tail[: -self.tail_bytes or None]

    def text(self) -> str:
        tail = bytes(self.tail[-self.tail_bytes :])
        cut = b"\n[...]\n" if len(self.head) + len(tail) < self.total else b""
        return (bytes(self.head) + cut + tail).decode("utf-8", "replace").replace("\0", "\ufffd").strip()


class ProcessRunner:
    """Runs scripts as processes, of the agent's own account or, if it is the system, of the one an action names.
    `search` is where programs are looked for; at `desk` the person is asked for whom a script has questions; `sealing`
    opens secrets."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        accounts: Accounts,
        search: str = SEARCH,
        desk: Desk | None = None,
        sealing: X25519PrivateKey | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._accounts = accounts
        self._search = search
        self._desk = desk or Desk()
        self._sealing = sealing

    def run(self, job: Job, started: Started, cancelled: Event, awaits: Awaits = unheard) -> Ended:
        """Run a job to its end. `started` is called once, with the time, when the process runs; `awaits` whenever it
        waits for its user, with the time until which it does at the most, and with None when it goes on."""
        if job.script is None:
            return Ended("failure", "there is no script")
        try:
            values = secret_values.opened(job, self._sealing)
            account = self._accounts.of(job.content.run_as, job.content.service)
            folder = RunFolder(self._folder, job.script, job.inputs, account, self._search)
        except (AccountError, SecretError) as error:
            return Ended("failure", str(error))
        except OSError as error:
            return Ended("failure", f"the script could not be written: {error.strerror}")
        run = _Run(job, folder, account, values, self._clock, started, cancelled)
        try:
            with Talk(job, folder.questions, account, self._desk, self._clock, run.waits(awaits), cancelled):
                return run.run()
        except (OSError, SecretError) as error:
            return Ended("failure", f"the script could not be started: {error}")
        finally:
            folder.remove()


class _Run:
    def __init__(
        self,
        job: Job,
        folder: RunFolder,
        account: Account | None,
        values: Mapping[str, bytes],
        clock: Clock,
        started: Started,
        cancelled: Event,
    ) -> None:
        self._job, self._folder, self._account, self._clock = job, folder, account, clock
        self._tell_started, self._cancelled = started, cancelled
        self._token = secrets.token_hex(16)
        self._said = bytearray()
        self._secrets = values
        self._error = _Stream(ERROR_HEAD, ERROR_TAIL, redactor=Redactor(values))
        self._output = _Stream(outputs.PIPE_BYTES, redactor=Redactor(values))
        self._started_at: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def waits(self, awaits: Awaits) -> Awaits:
        """Have the script's time stand still, too, while it waits for its user."""

        def told(until: int | None) -> None:
            if self._process is not None and self._process.stdin is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._process.stdin.write(b"go\n" if until is None else b"wait\n")
            awaits(until)

        return told

    def run(self) -> Ended:
        pipe = os.open(
            self._folder.pipe, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW
        )  # ours stays open, so writers never wait for a reader
        error_read, error_write = os.pipe()
        os.set_blocking(error_read, False)
        try:
            given = [error_write]
            try:
                given += [secret_values.memory_file(self._secrets)] if self._secrets else []
                process = self._launch(*given)
            finally:
                for descriptor in given:
                    os.close(descriptor)
            self._process = process
            with process, contextlib.closing(selectors.DefaultSelector()) as selector:
                self._listen(selector, process, error_read, pipe)
        finally:
            os.close(pipe)
            os.close(error_read)
        return self._ended()

    def _launch(self, error: int, secret: int | None = None) -> subprocess.Popen[bytes]:
        environment = self._folder.environment(self._token) | ({"MUSTER_SECRETS": str(secret)} if secret else {})
        spec = {
            "argv": self._folder.command(), "env": environment, "cwd": str(self._folder.path),
            "timeout": self._job.content.timeout, "grace": GRACE_SECONDS, "stderr": error, "most": MOST_PROCESSES,
            "longest": LONGEST,
            "account": self._account and [self._account.user, self._account.group, self._account.groups],
        }  # fmt: skip
        self._folder.hand_over()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            pass_fds=(error, *([secret] if secret else [])), env={}, cwd="/", start_new_session=True, bufsize=0,
        )  # fmt: skip
        assert process.stdin is not None
        data = wire.encode(spec)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(len(data).to_bytes(4, "big") + data)
        return process

    def _listen(
        self, selector: selectors.BaseSelector, process: subprocess.Popen[bytes], error: int, pipe: int
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        status = process.stdout.fileno()
        streams = {error: self._error, pipe: self._output}
        for descriptor in (status, error, pipe):
            selector.register(descriptor, selectors.EVENT_READ)
        asked = False
        while True:
            for key, _ in selector.select(0.2):
                if key.fd == status:
                    data = os.read(status, 4096)
                    self._hear(data)
                    if not data:
                        self._drain(streams)
                        return
                elif not self._read(key.fd, streams[key.fd]):
                    selector.unregister(key.fd)
            if self._cancelled.is_set() and not asked:
                asked = True
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(b"cancel\n")

    def _hear(self, data: bytes) -> None:
        self._said += data
        if self._started_at is None and b'"started"' in self._said:
            self._started_at = self._clock.now()
            self._tell_started(self._started_at)

    def _read(self, descriptor: int, stream: _Stream) -> bool:
        try:
            data = os.read(descriptor, 65_536)
        except BlockingIOError:
            return True
        stream.take(data)
        if stream.total > SLOW_AFTER:
            time.sleep(0.005)  # a flood costs the script its time, not the machine
        return bool(data)

    def _drain(self, streams: dict[int, _Stream]) -> None:
        for descriptor, stream in streams.items():
            for _ in range(64):  # a pipe holds less than this
                try:
                    data = os.read(descriptor, 65_536)
                except BlockingIOError:
                    break
                if not data:
                    break
                stream.take(data)
            stream.end()

    def _ended(self) -> Ended:
        facts: dict[str, Any] = {}
        for line in self._said.splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                facts |= msgspec.json.decode(line, type=dict[str, Any])
        if "failed" in facts:
            return Ended("failure", f"the script could not be started: {facts['failed']}")
        reason, code = facts.get("ended", "lost"), facts.get("code")
        if reason == "lost":
            kill_marked(self._token)
        cut = self._output.total > outputs.PIPE_BYTES
        declared = [item for item in self._job.content.outputs if PLATFORM in (item.platforms or (PLATFORM,))]
        values, problems = outputs.read(bytes(self._output.head), declared, cut=cut)
        state, detail = judge(reason, code, self._job.content.timeout, problems)
        at = (self._started_at, self._clock.now())
        return Ended(state, detail[:1024], code if reason == "exit" else None, values, self._error.text()[:4096], *at)


def judge(reason: str, code: int | None, timeout: int, problems: list[str]) -> tuple[wire.State, str]:
    """The state and its detail, from why the waiting ended, the exit code, and what is wrong with the outputs."""
    said = "; ".join(problems)
    more = f"; {said}" if said else ""
    match reason:
        case "exit" if code == 0:
            return ("failure", said) if said else ("success", "")
        case "exit" if code is not None and code < 0:
            return "failure", f"the script was killed by signal {_signal(-code)}{more}"
        case "exit":
            return "failure", f"the script ended with exit code {code}{more}"
        case "timeout":
            return "failure", f"timed out after {timeout} s; the script and its processes were killed{more}"
        case "cancel":
            return "cancelled", "cancelled while it ran; the script and its processes were killed"
        case "processes":
            return "failure", f"the script had more than {MOST_PROCESSES} processes; all were killed{more}"
        case _:
            return "failure", "the process that watched over the script was killed; how the script ended is not known"


def kill_marked(token: str) -> None:
    """Kill every process whose environment carries a run's token: what is left when its supervisor is gone."""
    mark = f"MUSTER_RUN_TOKEN={token}".encode()
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if mark in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
