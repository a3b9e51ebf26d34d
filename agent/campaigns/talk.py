"""What the script of one run asks, over a socket in its folder that only its account reaches.

In: connections, each with one line of JSON: how to ask, the campaign's id, for how many seconds. Out: one line with
status, detail and answers; whoever measures the run hears when it waits for its user. Invariants: messages and their
number are bounded; only campaigns of the action itself are asked; an answer goes into the connection that asked and
nowhere else; a question leaves the screen when its asker does, the run ends or is cancelled, but what stands alone
stays for its time unless the run is cancelled.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Semaphore, Thread, current_thread
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agent.accounts import Account
from agent.campaigns.desk import Desk
from agent.campaigns.questions import LONGEST, MOST_QUESTIONS, USUAL, Campaign, Reply, Sheet
from agent.clock import Clock
from agent.orders import Job

Awaits = Callable[[int | None], None]
AT_ONCE = 4  # connections; others wait
WAITING = 64
LOOK_SECONDS = 0.2
LINE_BYTES = 4096
PATIENCE = 5.0  # seconds for a question to arrive
A_WEEK = 7 * 24 * 3600
PEER = struct.Struct("3i")  # pid, uid, gid


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a script asks. `timeout` in seconds, below a week."""

    ask: Literal["wait", "show"]
    campaign: Annotated[str, Meta(max_length=256)]
    timeout: Annotated[int, Meta(ge=1, lt=A_WEEK)] | None = None


class Talk:
    """The questions of a run, from entering to leaving. `path` is that of the socket; `awaits` hears the time of the
    agent's clock until which the run waits for its user, and None when it goes on."""

    def __init__(
        self, job: Job, path: Path, account: Account | None, desk: Desk, clock: Clock, awaits: Awaits, cancelled: Event
    ) -> None:
        self._action, self._account, self._desk, self._clock = job.action, account, desk, clock
        self._whom = account if job.content.run_as == "user" else None  # nobody sits behind a service account
        self._campaigns = {campaign.nql_id: campaign for campaign in job.content.campaigns}
        self._path, self._awaits, self._cancelled = path, awaits, cancelled
        self._over, self._lock, self._room = Event(), Lock(), Semaphore(AT_ONCE)
        self._asked, self._left = 0, float(LONGEST)
        self._serving: set[Thread] = set()
        self._wake, self._woken = -1, -1

    def __enter__(self) -> Talk:
        if self._campaigns:
            listener = listening(self._path)
            self._woken, self._wake = os.pipe()
            self._thread = Thread(target=self._accept, args=(listener,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if not self._campaigns:
            return
        os.close(self._wake)
        self._thread.join()
        for thread in list(self._serving):
            thread.join()
        os.close(self._woken)

    # --- connections ---------------------------------------------------------------------------
    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while self._woken not in select.select([listener.fileno(), self._woken], [], [])[0]:
                while not self._room.acquire(timeout=LOOK_SECONDS):
                    if self._over.is_set():
                        return
                connection, _ = listener.accept()
                thread = Thread(target=self._serve, args=(connection,), daemon=True)
                self._serving.add(thread)
                thread.start()

    def _known(self, connection: socket.socket) -> bool:
        """Whether the other end is of the account that the script runs under."""
        return peer(connection) in {os.geteuid(), self._account.user if self._account else os.geteuid()}

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self._known(connection):
                reply = self._answer(connection)
                if self._cancelled.is_set():
                    self._over.wait()  # the script is being killed; with a reply it would go on meanwhile
                connection.sendall(msgspec.json.encode(reply) + b"\n")
        self._serving.discard(current_thread())
        self._room.release()

    def _answer(self, connection: socket.socket) -> Reply:
        try:
            ask = msgspec.json.decode(line(connection, PATIENCE), type=Ask)
        except msgspec.MsgspecError as error:
            return Reply("notificationfailed", f"this is no question: {error}"[:1000])
        campaign = self._campaigns.get(ask.campaign)
        if campaign is None:
            return Reply("notificationfailed", f"the action has no campaign {ask.campaign!r}")
        with self._lock:
            self._asked += 1
            if self._asked > MOST_QUESTIONS:
                return Reply("notificationfailed", f"one run asks at most {MOST_QUESTIONS} times")
        if ask.ask == "show":
            return self._shown(campaign)
        return self._waited(campaign, ask.timeout or USUAL, connection)

    # --- asking --------------------------------------------------------------------------------
    def _waited(self, campaign: Campaign, seconds: int, connection: socket.socket) -> Reply:
        began: list[float] = []
        allowed = min(seconds, self._left)
        if allowed < 1:
            return Reply("notificationfailed", f"this run has waited for its user for {LONGEST // 3600} hours")

        def shown() -> None:
            began.append(time.monotonic())
            self._awaits(self._clock.now() + round(allowed * 1_000_000))

        def gone() -> bool:
            return self._over.is_set() or self._cancelled.is_set() or closed(connection)

        try:
            return self._desk.ask(self._sheet(campaign), self._whom, allowed, gone, shown)
        finally:
            if began:
                self._left -= time.monotonic() - began[0]
                self._awaits(None)

    def _shown(self, campaign: Campaign) -> Reply:
        """Show what nobody waits for. The thread that does outlives the run."""
        first: SimpleQueue[Reply] = SimpleQueue()

        def show() -> None:
            sheet, gone = self._sheet(campaign), self._cancelled.is_set
            first.put(self._desk.ask(sheet, self._whom, USUAL, gone, lambda: first.put(Reply("fully"))))

        Thread(target=show, daemon=True).start()
        return first.get()

    def _sheet(self, campaign: Campaign) -> Sheet:
        return Sheet(campaign, self._desk.asker, self._action)


def listening(path: Path) -> socket.socket:
    """A socket in a folder, whatever the length of its name, that its owner alone may connect to."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(0o600)
        listener.listen(WAITING)
        return listener
    finally:
        os.close(folder)


def peer(connection: socket.socket) -> int:
    """The user id of the other end."""
    found: tuple[int, int, int] = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return found[1]


def line(connection: socket.socket, seconds: float, most: int = LINE_BYTES) -> bytes:
    """The line that comes over a connection, cut at a bound or where it ends. Raises OSError if it takes longer."""
    until, said = time.monotonic() + seconds, b""
    while not said.endswith(b"\n") and len(said) < most:
        connection.settimeout(max(0.001, until - time.monotonic()))
        more = connection.recv(min(65_536, most - len(said)))
        if not more:
            break
        said += more
    connection.settimeout(PATIENCE)
    return said


def closed(connection: socket.socket) -> bool:
    """Whether the other end is gone."""
    try:
        readable = select.select([connection.fileno()], [], [], 0)[0]
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
