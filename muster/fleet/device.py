"""One light device: real keys, real signatures, a real outbox file; everything else is made up and computed.

In: a seed and a number, so that anybody can say what it should have produced. Out: a channel, pulls, reports, batches.
Invariants: every answer and order of the portal is checked as an agent checks it; what the device will say of an
execution follows from its number and the run alone (`result_of`), what it measures from its number (`rows_of`).
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import statements, wire, wire_channel
from agent.backoff import SECOND, WIDEST, WINDOW, spread
from agent.clock import SteadyClock
from agent.identity import verify
from agent.outbox import Outbox
from agent.rows import Rows, seal
from agent.session import Session, same, share_of
from muster.fleet.wires import Answered, Place, Socket, post

CLOCK = SteadyClock()
OUTPUT = "number"
_frames = msgspec.json.Decoder(wire_channel.ToldFrame)
_work = msgspec.json.Decoder(wire.Work)
_verdicts = msgspec.json.Decoder(wire.Verdicts)
_stored = msgspec.json.Decoder(wire.Stored)


def private_key(seed: int, number: int) -> Ed25519PrivateKey:
    """The identity of a device: the same for the same numbers, so that a folder can be used again."""
    return Ed25519PrivateKey.from_private_bytes(blake2b(f"fleet {seed} {number}".encode(), digest_size=32).digest())


def result_of(number: int, run: str) -> int:
    """What device `number` says when it runs `run`."""
    return int.from_bytes(blake2b(f"{number} {run}".encode(), digest_size=4).digest(), "big")


def rows_of(number: int, count: int, start: int) -> Rows:
    """What device `number` measures in `count` buckets of a minute before `start`."""
    times = [start - (count - place) * 60 * SECOND for place in range(count)]
    columns: dict[str, list[Any]] = {
        "start_time": times,
        "end_time": [time + 60 * SECOND for time in times],
        "bucket_duration": [60 * SECOND] * count,
        "@user": [f"load-{number}"] * count,
        "user_interaction_time": [value_of(number, place) for place in range(count)],
    }
    return Rows("session.events", columns)


def value_of(number: int, place: int) -> int:
    """The microseconds that device `number` measures in its bucket `place`."""
    return (number * 31 + place * 7) % 60 * SECOND


@dataclass(slots=True)
class Ledger:
    """What all devices together did, by count, and when the last one heard a nudge."""

    place: Place
    portal_key: bytes
    connected: int = 0
    greeted: int = 0
    nudges: int = 0
    nudged_at: int = 0
    results: int = 0
    rows: int = 0
    answering: bool = True  # whether devices pull when they are nudged
    problems: list[str] = field(default_factory=list)
    sealing: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)  # of all, which saves much time here
    share: bytes = b""
    pinned: str = ""
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(256))

    def __post_init__(self) -> None:
        self.share, self.pinned = share_of(self.sealing), statements.fingerprint(self.portal_key)

    def problem(self, text: str) -> None:
        """Something went wrong; the first hundred are kept."""
        if len(self.problems) < 100:
            self.problems.append(text)


class Device:
    """One device. `pulls` says whether it answers nudges."""

    __slots__ = (
        "_answered",
        "_busy",
        "_failures",
        "_greeting",
        "_key",
        "_ledger",
        "_nonce",
        "_session",
        "_socket",
        "_stopping",
        "_trail",
        "_wanted",
        "number",
        "uid",
        "up",
    )

    def __init__(self, number: int, uid: str, key: Ed25519PrivateKey, ledger: Ledger) -> None:
        self.number, self.uid, self.up = number, uid, False
        self._key, self._ledger = key, ledger
        self._nonce, self._trail = "", list[str]()
        self._greeting = b"", b""
        self._session: Session | None = None
        self._answered: asyncio.Future[wire_channel.Answer] | None = None
        self._failures = 0
        self._socket: Socket | None = None
        self._busy = self._wanted = self._stopping = False

    # --- the channel ---------------------------------------------------------------------------
    async def connect(self) -> None:
        """Dial the portal; what follows happens by itself, as often as it has to."""
        headers = self._signed("GET", wire.CHANNEL, b"")
        self._nonce = headers[wire.NONCE_HEADER]
        place = self._ledger.place
        self._socket = Socket(place, wire.CHANNEL, headers, self._heard, self._ended)
        socket = self._socket
        try:
            await asyncio.get_running_loop().create_connection(lambda: socket, place.host, place.port)
        except OSError:
            self._again()

    def close(self) -> None:
        """Leave for good."""
        self._stopping = True
        if self._socket is not None:
            self._socket.close()

    def ping(self) -> None:
        """Say that it is there, as agents do."""
        if self._socket is not None:
            self._socket.say(b"", 9)

    def _heard(self, text: bytes) -> None:
        frame = _frames.decode(text)
        if isinstance(frame, wire_channel.Nudge):
            self._ledger.nudges += 1
            self._ledger.nudged_at = CLOCK.now()
            if self._ledger.answering:
                self._wanted = True
                self._go()
        elif isinstance(frame, wire_channel.Answer):
            if self._answered is not None:
                self._answered.set_result(frame)
        elif isinstance(frame, wire_channel.Welcome):
            head = (self.uid, self._nonce, frame.challenge, frame.server_time, frame.share)
            said = statements.welcome_bytes(*head, frame.last)
            if not verify(self._ledger.portal_key, frame.signature, said):
                self._ledger.problem(f"device {self.number}: the welcome is not signed by the portal")
            assert self._socket is not None
            if frame.last == statements.step_name(self._trail[-1] if self._trail else ""):
                self._trail = [*self._trail, secrets.token_urlsafe(9)][-wire.MOST_STEPS :]
            share, trail = self._ledger.share, self._trail
            signature = self._key.sign(statements.hello_bytes(self.uid, frame.challenge, share, trail))
            self._socket.say(wire.encode(wire_channel.Hello("0.1.0", signature, share, trail)))
            self._greeting, self._session = (frame.share, frame.challenge), None
            self.up, self._failures = True, 0
            self._ledger.connected += 1
            self._ledger.greeted += 1

    def _ended(self) -> None:
        if self._answered is not None:
            self._answered.set_exception(ConnectionResetError("the portal gave no answer"))
            self._answered = None
        if self.up:
            self.up = False
            self._ledger.connected -= 1
        self._again()

    def _again(self) -> None:
        """Come back as an agent does: somewhere in a window that grows."""
        if self._stopping:
            return
        pause = self._socket.pause if self._socket is not None else 0
        window = min(WINDOW << self._failures, WIDEST)
        wait = pause + 0.25 + window * spread(self.uid, "channel", self._failures) / SECOND
        self._failures += 1
        loop = asyncio.get_running_loop()
        loop.call_later(wait, lambda: loop.create_task(self._redial()))

    async def _redial(self) -> None:
        if not self._stopping:
            await self.connect()

    # --- work ----------------------------------------------------------------------------------
    def _go(self) -> None:
        if not self._busy:
            self._busy = True
            task = asyncio.get_running_loop().create_task(self._pull())
            task.add_done_callback(self._pulled)

    def _pulled(self, task: asyncio.Task[None]) -> None:
        self._busy = False
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ledger.problem(f"device {self.number}: {error!r}")

    async def _pull(self) -> None:
        while self._wanted:
            self._wanted = False
            async with self._ledger.turn:
                pull = wire.Pull(2, [], "0.1.0", step=self._trail[-1])
                work = _work.decode(await self._ask_here(wire.WORK, wire.encode(pull)))
                if work.orders:
                    self._wanted = self._wanted or work.more
                    await self._answer(work.orders)

    async def _answer(self, orders: list[wire.Order]) -> None:
        reports = [self._report(order, state) for order in orders for state in ("in_progress", "success")]
        told = await self._ask_here(wire.REPORTS, wire.encode(wire.Reports(reports)))
        for verdict in _verdicts.decode(told).verdicts:
            if verdict.verdict not in ("accepted", "duplicate"):
                self._ledger.problem(f"device {self.number}: a report was {verdict.verdict}: {verdict.reason}")
        self._ledger.results += len(orders)

    def _report(self, order: wire.Order, state: wire.State) -> wire.Report:
        if not verify(self._ledger.portal_key, order.signature, statements.order_bytes(order)):
            self._ledger.problem(f"device {self.number}: an order is not signed by the portal")
        now = CLOCK.now()
        ended = state == "success"
        outputs: dict[str, wire.Value] = {OUTPUT: result_of(self.number, order.run)} if ended else {}
        outcome = wire.encode(wire.Outcome(now, now, now if ended else None, 0 if ended else None, outputs))
        named = (order.run, self.uid, order.attempt, order.nonce, state)
        signature = self._key.sign(statements.report_bytes(*named, outcome))
        return wire.Report(order.run, order.attempt, order.nonce, state, msgspec.Raw(outcome), signature)

    # --- telemetry -----------------------------------------------------------------------------
    async def measure(self, folder: Path, rows: int, batches: int, start: int) -> None:
        """Put batches of rows into an outbox file and send them, oldest first."""
        loop, ledger = asyncio.get_running_loop(), self._ledger
        outbox = await loop.run_in_executor(None, self._fill, folder, rows, batches, start)
        try:
            while (leased := outbox.lease()) is not None:
                async with ledger.turn:
                    answer = await self._ask(wire.BATCHES, leased[1], {"Content-Encoding": "gzip"})
                ledger.rows += _stored.decode(answer.body).rows
                outbox.commit(leased[0])
        finally:
            outbox.close()

    def _fill(self, folder: Path, rows: int, batches: int, start: int) -> Outbox:
        outbox = Outbox(folder / f"device-{self.number:06d}")
        whole = rows_of(self.number, rows * batches, start)
        for place in range(batches):
            part = whole.part(place * rows, (place + 1) * rows)
            outbox.append(_sealed(part))
        return outbox

    # --- requests ------------------------------------------------------------------------------
    async def _ask_here(self, path: str, body: bytes) -> bytes:
        """The answer over the channel, as agents ask for work and bring reports; one at a time."""
        if self._session is None:
            self._session = Session(self._ledger.sealing, *self._greeting)
        session, pinned = self._session, self._ledger.pinned
        number = session.next()
        seal = session.ask(statements.sealed_ask_bytes(number, path, pinned, body))
        self._answered = asyncio.get_running_loop().create_future()
        assert self._socket is not None
        self._socket.say(wire.encode(wire_channel.Ask(number, path, pinned, msgspec.Raw(body), seal)))
        told = await self._answered
        self._answered, answer = None, bytes(told.body)
        said = statements.sealed_answer_bytes(number, told.status, told.time, told.pause, answer)
        if told.number != number or not same(told.seal, session.answer(said)):
            raise ConnectionError(f"the answer to {path} is not the portal's")
        if told.status != 200:
            raise ConnectionError(f"{path} was answered with {told.status}: {answer[:200]!r}")
        return answer

    async def _ask(self, path: str, body: bytes, more: dict[str, str] | None = None) -> Answered:
        headers = self._signed("POST", path, body)
        answer = await post(self._ledger.place, path, body, headers | (more or {}))
        if answer.status != 200:
            raise ConnectionError(f"{path} was answered with {answer.status}: {answer.body[:200]!r}")
        time, nonce = int(answer.headers[wire.TIME_HEADER.lower()]), headers[wire.NONCE_HEADER]
        said = statements.answer_bytes(self.uid, nonce, time, answer.status, answer.body)
        if not verify(self._ledger.portal_key, base64.b64decode(answer.headers[wire.SIGNATURE_HEADER.lower()]), said):
            raise ConnectionError(f"the answer to {path} is not signed by the portal")
        return answer

    def _signed(self, method: str, path: str, body: bytes) -> dict[str, str]:
        time, nonce = CLOCK.now(), secrets.token_urlsafe(16)
        signature = self._key.sign(statements.request_bytes(self.uid, method, path, time, nonce, body))
        return {
            wire.DEVICE_HEADER: self.uid,
            wire.PINNED_HEADER: self._ledger.pinned,
            wire.TIME_HEADER: str(time),
            wire.NONCE_HEADER: nonce,
            wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        }


def _sealed(part: Rows) -> Callable[[str, int], bytes]:
    return lambda epoch, sequence: seal([part], epoch, sequence)
