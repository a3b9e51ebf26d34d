"""What devices ask of the portal, on plain values: enrol, fetch work, bring reports and telemetry.

In: messages of `agent.wire` from a device that the door let in. Out: the portal's messages. Invariants: an order goes
out signed; a report counts only with the device's own signature over run, device, attempt and nonce, for an execution
that was handed to that very device; an answer comes after what it acknowledges is stored for good. What is wrong is
refused with a reason, counted and logged, and stops nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TypeVar

import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent import statements, wire
from agent.wire_configuration import Configuration
from nql.catalog.model import Catalog
from portal.agents.configuration import Configurations
from portal.agents.door import Refuse, cloned
from portal.agents.gathering import Gathering, tried
from portal.agents.questions import REACTIONS, Questions, signed
from portal.agents.trails import Trails
from portal.metrics import Metrics
from portal.threads import Threads
from portal.trust.secrets import Secrets
from storage.control.api import Control
from storage.control.campaign_dispatch import Ask, Withdrawn
from storage.control.dispatch import Cancel, Order
from storage.control.enrolment import Device
from storage.control.errors import NotFoundError, RefusedError, UnavailableError
from storage.control.key_ring import KeyRing, public
from storage.control.outcomes import Outcome
from storage.control.states import State
from storage.tables.api import Batch, Refused, Rows, StorageFailed, StorageFull, Tables, check_batch, rows_from_wire

OPEN, WAITING = "in_progress", "waiting_on_user"
T = TypeVar("T")
Head = tuple[str, int, str]  # run or schedule, attempt or sequence, state
Record = Callable[[], str]
Brought = tuple[Device, list[wire.Report | wire.LocalReport]]
FEW = 16  # reports of one request: with more it goes alone
log = structlog.get_logger("agents")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the slice works with."""

    control: Control
    tables: Tables
    catalog: Catalog
    keys: KeyRing
    secrets: Secrets
    threads: Threads
    metrics: Metrics
    configurations: Configurations
    trails: Trails
    clock: Callable[[], int]
    most_new: int  # ids that a device may bring into being a day, in each object table
    finished: Callable[[], None]  # called on the event loop when executions ended


@dataclass(frozen=True, slots=True)
class _Pull:
    """A device that asks for work, the newest step of its trail, and the key that it is told by."""

    device: Device
    step: str
    room: int
    held: list[tuple[str, int]]
    key: Ed25519PrivateKey
    now: int
    people: list[str] | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What stood there for a device before anything was handed out: whether there are `orders`, or a `question`."""

    orders: bool
    question: bool
    cancels: list[Cancel | Withdrawn]
    tag: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What is handed out to a device."""

    orders: list[Order]
    question: Ask | None


NOTHING = _Found([], None)


class Agents:
    """The agents slice."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._questions = Questions(parts.control, parts.clock)
        self._pulls = Gathering(parts.threads, self._find)
        self._reports = Gathering(parts.threads, self._take)

    async def enrol(self, asked: wire.Enrol) -> wire.Enrolled:
        """Make a device known. Raises Refuse."""
        if not verified(
            asked.identity, asked.proof, statements.enrol_bytes(asked.key, asked.identity, asked.sealing, asked.name)
        ):
            raise self.refuse(400, "bad_proof", "The request is not signed by the key that it brings.")
        enrol = self._p.control.enrolment.consume_enrol_key
        now = self._p.clock()
        try:
            device = await self._p.threads.control(
                enrol, asked.key, asked.identity, asked.sealing, asked.name, now=now, agent_version=asked.agent_version
            )
        except RefusedError as error:
            raise self.refuse(403, error.code, f"{error}.") from None
        head = (device.uid, device.collector_uid, device.generation, device.simulated)
        authors = await self._p.threads.control(self._p.control.authors.living)
        return wire.Enrolled(*head, public(self._p.keys.current), now, [author.key for author in authors])

    async def work(self, device: Device, asked: wire.Pull, pinned: str | None = None) -> wire.Work:
        """Orders and cancels for a device, signed by the portal's key of the fingerprint `pinned`."""
        held = [(item.run, item.attempt) for item in asked.held]
        key, now = self._p.keys.of(pinned), self._p.clock()
        return await self._pulls.ask(_Pull(device, asked.step, asked.room, held, key, now, asked.people))

    async def configuration(self, device: Device) -> Configuration:
        """What a device goes by beside its orders."""
        return await self._p.threads.control(self._p.configurations.of, device)

    async def reports(self, device: Device, asked: wire.Reports) -> wire.Verdicts:
        """What became of each report, after all are stored. Raises UnavailableError, and then they come again."""
        reports: list[wire.Report | wire.LocalReport] = [*asked.reports, *asked.local]
        if len(reports) > FEW:
            [verdicts] = await self._p.threads.control(self._take, [(device, reports)])
        else:
            verdicts = await self._reports.ask((device, reports))
        if isinstance(verdicts, Exception):
            raise verdicts
        if any(item.state not in (OPEN, WAITING) for item in reports):
            self._p.finished()
        return wire.Verdicts(verdicts)

    async def batch(self, device: Device, packed: bytes) -> wire.Stored:
        """Store telemetry. Raises Refuse."""
        now = self._p.clock()
        try:
            batch, rows = await self._p.threads.control(self._rows, device, packed, now)
            ack = await self._p.tables.append(
                Batch(device.uid, device.generation, batch.epoch, batch.sequence, now, rows, self._p.most_new)
            )
        except Refused as error:
            raise self.refuse(422, "refused_rows", error.reason, device) from None
        except StorageFull as error:
            raise Refuse(507, "storage_full", error.reason, signed=True, pause=30) from None
        except StorageFailed as error:
            raise Refuse(503, "storage_unavailable", error.reason, signed=True, pause=10) from None
        named = (device.uid, batch.epoch, batch.sequence, batch.sha256)
        if not await self._p.trails.stored(*named, again=ack.duplicate):
            raise cloned()
        self._p.metrics.rows("agent", ack.rows)
        return wire.Stored(ack.sequence, ack.rows, ack.duplicate)

    def refuse(self, status: int, code: str, reason: str, device: Device | None = None) -> Refuse:
        """A refusal, counted and logged. To a device that is known the answer is signed."""
        self._p.metrics.refused(code)
        log.warning("message_refused", code=code, reason=reason[:300], device=device and device.uid)
        return Refuse(status, code, reason[:1000], signed=device is not None)

    # --- many devices at once ------------------------------------------------------------------
    def _find(self, pulls: Sequence[_Pull]) -> list[wire.Work | Exception]:
        control = self._p.control
        failed = self._told(pulls)
        with control.one_instant():
            seen = [failed[place] if place in failed else tried(self._look, pull) for place, pull in enumerate(pulls)]
        busy = {place: item for place, item in enumerate(seen) if isinstance(item, _Seen)}
        busy = {place: item for place, item in busy.items() if item.orders or item.question}
        claimed: dict[int, _Found | Exception] = {}
        try:
            if busy:
                found = control.together(lambda: [tried(self._claim, pulls[place], busy[place]) for place in busy])
                claimed = dict(zip(busy, found, strict=True))
        except UnavailableError as error:
            claimed = dict.fromkeys(busy, error)
        with control.one_instant():
            return [
                tried(self._work, pull, item, claimed.get(place, NOTHING))
                for place, (pull, item) in enumerate(zip(pulls, seen, strict=True))
            ]

    def _look(self, pull: _Pull) -> _Seen:
        uid, dispatch = pull.device.uid, self._p.control.dispatch
        # The portal counts what runs there itself; a device lets an order be that it has no room for.
        orders = bool(pull.room) and dispatch.has_work(uid, now=pull.now, held=pull.held)
        question, gone = self._questions.look(pull.device, pull.held, now=pull.now)
        cancels: list[Cancel | Withdrawn] = [*dispatch.cancellations(uid), *gone]
        return _Seen(orders, question, cancels[:64], self._p.configurations.tag(uid))

    def _told(self, pulls: Sequence[_Pull]) -> dict[int, Exception]:
        """Note who is logged in where; what could not be noted is told again, so those pulls fail."""
        telling = {place: pull for place, pull in enumerate(pulls) if pull.people is not None}
        if not telling:
            return {}
        try:
            done = self._p.control.together(lambda: [tried(self._people, pull) for pull in telling.values()])
        except UnavailableError as error:
            return dict.fromkeys(telling, error)
        return {place: one for place, one in zip(telling, done, strict=True) if isinstance(one, Exception)}

    def _people(self, pull: _Pull) -> None:
        self._questions.people(pull.device, pull.people or [], now=pull.now)

    def _claim(self, pull: _Pull, seen: _Seen) -> _Found:
        if not self._p.control.enrolment.leads(pull.device.uid, pull.step):
            return NOTHING  # another machine came after it with the same identity, or it has a greeting under way
        claim = self._p.control.dispatch.claim_work
        orders = claim(pull.device.uid, now=pull.now, held=pull.held) if seen.orders else []
        return _Found(orders, self._questions.claim(pull.device, pull.held, now=pull.now) if seen.question else None)

    def _work(self, pull: _Pull, seen: _Seen | Exception, found: _Found | Exception) -> wire.Work:
        if isinstance(seen, Exception):
            raise seen
        if isinstance(found, Exception):
            raise found
        key, device = pull.key, pull.device
        cancels = [self._cancel(key, device, item.run, item.attempt, item.nonce) for item in seen.cancels]
        orders = [self._order(key, device, item) for item in found.orders]
        questions = [signed(key, found.question)] if found.question is not None else []
        # With a question gone from the screen there may be another one.
        return wire.Work(orders, cancels, len(orders) >= pull.room or bool(questions), seen.tag, questions)

    def _take(self, brought: Sequence[Brought]) -> list[list[wire.Verdict] | Exception]:
        # Signatures are checked before anybody waits for us.
        read = [(device, [self._read(device, item) for item in reports]) for device, reports in brought]
        control = self._p.control

        def verdicts(device: Device, items: list[tuple[Head, Record]]) -> list[wire.Verdict]:
            return [self._verdict(device, *item) for item in items]

        return control.together(lambda: [tried(verdicts, *item) for item in read])

    # --- orders --------------------------------------------------------------------------------
    def _order(self, key: Ed25519PrivateKey, device: Device, item: Order) -> wire.Order:
        signed = self._p.control.authors.signature_for(item.action, item.version, enrolled_at=device.enrolled_at)
        secrets = self._p.secrets.for_device(device, item.action, item.content, item.run, item.attempt)
        order = wire.Order(
            item.run,
            item.device,
            item.attempt,
            item.nonce,
            item.expires_at,
            item.action,
            item.version,
            msgspec.Raw(item.content.encode()),
            item.parameters,
            bytes(64),
            None if signed is None else signed.signature,
            0 if signed is None else signed.serial,
            secrets=secrets if signed is not None else {},
            priority=item.priority,
        )
        return msgspec.structs.replace(order, signature=key.sign(statements.order_bytes(order)))

    def _cancel(self, key: Ed25519PrivateKey, device: Device, run: str, attempt: int, nonce: str) -> wire.Cancel:
        signature = key.sign(statements.cancel_bytes(run, device.uid, attempt, nonce))
        return wire.Cancel(run, device.uid, attempt, nonce, signature)

    # --- reports -------------------------------------------------------------------------------
    def _read(self, device: Device, report: wire.Report | wire.LocalReport) -> tuple[Head, Record]:
        if isinstance(report, wire.LocalReport):
            head: Head = (report.schedule, report.sequence, report.state)
        else:
            head = (report.run, report.attempt, report.state)
        try:
            outcome = _signed_outcome(device, report)
        except (RefusedError, msgspec.MsgspecError) as error:
            return head, partial(_refuse, error)
        if isinstance(report, wire.Report) and isinstance(outcome, wire.Replied):
            return head, partial(self._questions.record, device, report, outcome)
        assert isinstance(outcome, wire.Outcome)  # a state of a local report is never a reaction
        if isinstance(report, wire.LocalReport):
            return head, partial(self._record_local, device, report, outcome)
        return head, partial(self._record, device, report, outcome)

    def _verdict(self, device: Device, head: Head, record: Record) -> wire.Verdict:
        try:
            return wire.Verdict(*head, record())
        except (NotFoundError, RefusedError, msgspec.MsgspecError) as error:
            self.refuse(422, "refused_report", str(error), device)
            return wire.Verdict(*head, "refused", str(error)[:255])

    def _record(self, device: Device, report: wire.Report, outcome: wire.Outcome) -> str:
        dispatch, now, nonce = self._p.control.dispatch, self._p.clock(), report.nonce
        named = (report.run, device.uid, report.attempt)
        if report.state == OPEN and outcome.started_at is not None:
            return dispatch.record_started(*named, started_at=outcome.started_at, now=now, nonce=nonce).value
        if report.state in (OPEN, WAITING):
            stands, at, until = State(report.state), outcome.time, outcome.until
            return dispatch.record_progress(*named, stands, changed_at=at, now=now, until=until, nonce=nonce).value
        return dispatch.record_finished(*named, _outcome(report.state, outcome), now=now, nonce=nonce).value

    def _record_local(self, device: Device, report: wire.LocalReport, outcome: wire.Outcome) -> str:
        take, ended = self._p.control.local_schedules.take, _outcome(report.state, outcome)
        return take(f"#{report.schedule}", device.uid, report.sequence, ended, now=self._p.clock()).value

    # --- telemetry -----------------------------------------------------------------------------
    def _rows(self, device: Device, packed: bytes, now: int) -> tuple[wire.Batch, tuple[Rows, ...]]:
        batch = self._decoded(unpacked(packed), wire.Batch)
        raw = bytes(batch.tables)
        if sha256(raw).digest() != batch.sha256:
            raise Refused("the batch does not hold what its digest says")
        tables = self._decoded(raw, list[wire.Columns])
        uid = device.uid
        rows = tuple(
            rows_from_wire(self._p.catalog, item.table, item.columns, writer="agent", device_uid=uid, now=now)
            for item in tables
        )
        check_batch(rows)
        return batch, rows

    def _decoded(self, data: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"the batch is not of its form: {error}") from None


def unpacked(packed: bytes) -> bytes:
    """The bytes of one gzip member, at most `wire.BATCH_BYTES` of them. Raises Refused."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        data = inflate.decompress(packed, wire.BATCH_BYTES + 1)
    except zlib.error as error:
        raise Refused(f"the batch is no gzip: {error}") from None
    if len(data) > wire.BATCH_BYTES:
        raise Refused(f"the batch is larger than {wire.BATCH_BYTES} bytes")
    if not inflate.eof or inflate.unused_data:
        raise Refused("the batch is cut off or has something after its end")
    return data


def verified(key: bytes, signature: bytes, said: bytes) -> bool:
    """Whether a signature is that of a raw Ed25519 public key."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_outcome(device: Device, report: wire.Report | wire.LocalReport) -> wire.Outcome | wire.Replied:
    """What a report says, if its device signed it. Raises RefusedError, MsgspecError."""
    raw, uid = bytes(report.outcome), device.uid
    if isinstance(report, wire.LocalReport):
        said = statements.local_report_bytes(report.schedule, uid, report.sequence, report.state, raw)
    else:
        said = statements.report_bytes(report.run, uid, report.attempt, report.nonce, report.state, raw)
    if not verified(device.identity_key, report.signature, said):
        raise RefusedError("bad_signature", "the report is not signed by its device")
    if report.state in REACTIONS:
        return msgspec.json.decode(raw, type=wire.Replied)
    return msgspec.json.decode(raw, type=wire.Outcome)


def _refuse(error: Exception) -> str:
    raise error


def _outcome(state: str, told: wire.Outcome) -> Outcome:
    return Outcome(
        State(state),
        told.exit_code,
        told.outputs,
        told.error or None,
        told.detail or None,
        told.started_at,
        told.finished_at,
    )
