"""Shows a question in a terminal: a line says that it waits, and `muster-agent answer` asks it there.

In: an `Asking` of somebody with a shell on a terminal. Out: his `Reply`. Invariants: only his account and the system's
may read the question or answer it (the kernel says who connects); the first full answer counts; there is no socket, and
nothing on the disk, but while a question waits. What a terminal is told has no control characters in it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

from agent.campaigns.desk import Asking, CannotShowError
from agent.campaigns.questions import Answered, Reply, problem, reply
from agent.campaigns.talk import peer

PREFIX = "muster-agent"
MOST_CLIENTS = 4
LOOK_SECONDS = 0.2
ANSWER_BYTES = 131_072
SEND_SECONDS = 1.0


class Taken(msgspec.Struct, frozen=True):
    """What became of an answer: empty if it was taken."""

    problem: str = ""


def place(state: Path) -> str:
    """The part of a socket's name that says whose agent it is, by the folder of its state."""
    return f"{PREFIX}/{sha256(str(state.resolve()).encode()).hexdigest()[:16]}"


def printable(text: str) -> str:
    """A text without what would move a terminal's cursor or change its colours."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def tell(terminal: str, text: str) -> bool:
    """Write a line to a terminal, if it takes it at once."""
    with contextlib.suppress(OSError):
        handle = os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            return os.isatty(handle) and os.write(handle, text.encode("utf-8", "replace")) > 0
        finally:
            os.close(handle)
    return False


class Terminal:
    """The presenter for those who have a shell. `name` is the `place` of the agent."""

    def __init__(self, name: str, say: Callable[[str, str], bool] = tell) -> None:
        self._name, self._say = name, say

    def show(self, asking: Asking) -> Reply:
        """Say that there is a question, and wait for `muster-agent answer`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as listener:
            listener.bind(f"\0{self._name}/{secrets.token_hex(8)}")
            listener.listen(MOST_CLIENTS)
            told = [terminal for terminal in asking.person.terminals if self._say(terminal, _notice(asking))]
            if not told:
                raise CannotShowError(f"{asking.person.name} has no terminal open")
            asking.shown()
            with contextlib.ExitStack() as open_:
                return _Waiting(asking, listener, open_).reply()


def _notice(asking: Asking) -> str:
    sheet = asking.sheet
    asker, title = printable(sheet.asker), printable(sheet.campaign.title)
    return f"\r\n{asker} has a question for you: {title}\r\nAnswer it with: muster-agent answer\r\n"


class _Waiting:
    """One question and those who came to answer it."""

    def __init__(self, asking: Asking, listener: socket.socket, open_: contextlib.ExitStack) -> None:
        self._asking, self._listener, self._open = asking, listener, open_
        self._said: dict[socket.socket, bytes] = {}

    def reply(self) -> Reply:
        """The first full answer, or why there is none."""
        while (over := self._asking.over()) is None:
            for ready in select.select([self._listener, *self._said], [], [], LOOK_SECONDS)[0]:
                if ready is self._listener:
                    self._welcome()
                elif (found := self._heard(ready)) is not None:
                    return found
        return over

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            self._open.enter_context(client)
            allowed = {self._asking.person.user, os.geteuid(), 0}
            if len(self._said) >= MOST_CLIENTS or peer(client) not in allowed:
                client.close()
                return
            client.settimeout(SEND_SECONDS)
            client.sendall(msgspec.json.encode(self._asking.sheet) + b"\n")
            client.setblocking(False)
            self._said[client] = b""

    def _heard(self, client: socket.socket) -> Reply | None:
        try:
            more = client.recv(ANSWER_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            more = b""
        said = self._said[client] + more
        if not more or len(said) > ANSWER_BYTES:
            self._part(client)
            return None
        self._said[client] = said
        if not said.endswith(b"\n"):
            return None
        self._said[client] = b""
        return self._judged(client, said)

    def _judged(self, client: socket.socket, said: bytes) -> Reply | None:
        campaign = self._asking.sheet.campaign
        try:
            answered = msgspec.json.decode(said, type=Answered)
        except msgspec.MsgspecError as error:
            wrong = f"this is no answer: {error}"[:1000]
        else:
            wrong = problem(campaign, answered.answers) if answered.status == "fully" else ""
        with contextlib.suppress(OSError):
            client.send(msgspec.json.encode(Taken(wrong)) + b"\n")
        return None if wrong else reply(campaign, answered)

    def _part(self, client: socket.socket) -> None:
        del self._said[client]
        client.close()


def waiting(names: Iterable[str]) -> list[str]:
    """The sockets at which a question waits, from the lines of `/proc/net/unix`."""
    found = (line.rpartition(" ")[2].strip() for line in names)
    return sorted({name[1:] for name in found if name.startswith(f"@{PREFIX}/")})
