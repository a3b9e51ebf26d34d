"""Shows a question in a window on somebody's desktop: a program of his own account, in his session.

In: an `Asking` of somebody with a desktop. Out: his `Reply`. Invariants: the window knows the question and nothing else
of the agent; it is closed when the question is over, and closes by itself when the agent is gone; what it says is
bounded and judged like any answer.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

import msgspec

from agent.campaigns.desk import Asking, CannotShowError
from agent.campaigns.person import Person
from agent.campaigns.questions import Answered, Reply, reply

COMMAND = (sys.executable, "-E", "-P", "-m", "agent.campaigns.window")
SEARCH = "/usr/local/bin:/usr/bin:/bin"
LOOK_SECONDS = 0.2
ANSWER_BYTES = 131_072
SHOWN_SECONDS = 20.0  # from the start of the program until the question is on the screen
LAST_SECONDS = 2.0
NO_WINDOW = 3  # the exit code of a program that found no toolkit, or no screen


class Window:
    """The presenter for those who have a desktop."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._command = command

    def show(self, asking: Asking) -> Reply:
        """Start the program, and wait for what it says."""
        person = asking.person
        if not person.desktop:
            raise CannotShowError(f"{person.name} has no desktop session")
        try:
            process = self._start(person)
        except OSError as error:
            raise CannotShowError(f"the window could not be started: {error.strerror}") from None
        with process:
            try:
                return _Heard(process, asking).reply()
            finally:
                _end(process)

    def _start(self, person: Person) -> subprocess.Popen[bytes]:
        here = {"HOME": person.home, "USER": person.name, "LOGNAME": person.name, "PATH": SEARCH}
        other = os.geteuid() != person.user
        return subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**person.desktop, **here}, cwd="/", start_new_session=True, bufsize=0,
            user=person.user if other else None, group=person.group if other else None,
            extra_groups=person.groups if other else None,
        )  # fmt: skip


class _Heard:
    """What a window says: a line when the question is on the screen, and one with the answer."""

    def __init__(self, process: subprocess.Popen[bytes], asking: Asking) -> None:
        self._process, self._asking = process, asking
        self._said = b""
        self._shown = False
        self._began = time.monotonic()

    def reply(self) -> Reply:
        """The answer, or why there is none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(self._asking.sheet) + b"\n")
        while (over := self._asking.over()) is None:
            if not self._shown and time.monotonic() - self._began > SHOWN_SECONDS:
                raise CannotShowError("the window did not come up")
            if not select.select([self._process.stdout], [], [], LOOK_SECONDS)[0]:
                continue
            more = os.read(self._process.stdout.fileno(), 4096)
            self._said += more
            if (found := self._judged(ended=not more)) is not None:
                return found
        return over

    def _judged(self, *, ended: bool) -> Reply | None:
        lines = self._said.split(b"\n")
        if not self._shown and lines[0] == b"shown":
            self._shown = True
            self._asking.shown()
        last = lines[-2] if len(lines) > 1 else b""
        if last and last != b"shown":
            with contextlib.suppress(msgspec.MsgspecError):
                return reply(self._asking.sheet.campaign, msgspec.json.decode(last, type=Answered))
        if not ended and len(self._said) < ANSWER_BYTES:
            return None
        if self._shown:
            return Reply("notificationfailed", "the window was closed before there was an answer")
        raise CannotShowError("no program on this device can show a window")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the window, with whatever it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LAST_SECONDS)
            return
