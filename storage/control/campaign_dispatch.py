"""The device's side of responses: which question it may show now, and what it says of it. The caller has checked who
speaks, and the signature.

In: a device uid with what it holds, and reports by (response, device, attempt). Out: a question to show; for each
report whether it counted. Invariants: a person is asked where he came last of those places that are connected; a device
has one question at a time, for a `TURN` at the most, and what it lost is handed out again; the attempt is a fencing
token, and a report may come any number of times.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, or_, select

from storage.control import audit, schema, schema_campaigns
from storage.control.campaign_responses import ANSWERED, DECLINED, DELIVERED, FINAL, OPEN, OPENED, finish, note, one
from storage.control.database import Database
from storage.control.dispatch import Recorded
from storage.control.errors import RefusedError
from storage.control.ids import Random
from storage.control.outcomes import cut
from storage.control.prepared import Prepared, among
from storage.control.records import to_json

TABLE, REQUESTS, PRESENT = schema_campaigns.responses, schema_campaigns.requests, schema_campaigns.people_present
SECOND = 1_000_000
TURN = 3600 * SECOND  # that a question stays on a screen
GRACE = 60 * SECOND  # for the device to let go, by its own clock, and to say so
LATER = 3600 * SECOND  # after somebody put it off, or did not answer
SOON = 300 * SECOND  # after it could not be shown
PUT_OFF = frozenset({"postponed", "timeout"})
TEXT = 1024
COMMENT = 8192  # bytes
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a device is told to ask its person until `expires_at`. `content` is JSON."""

    response: str
    device: str
    attempt: int
    nonce: str
    person: str
    content: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A question that a device shall take away; `run` is the response, as in every cancel."""

    run: str
    attempt: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What a device says: the question is on the screen (`opened`), was `answered` in full, `declined`, or is gone
    without an answer (`unanswered`, `detail` says why). Answers are labels by question."""

    state: str
    detail: str = ""
    answers: Mapping[str, Collection[str]] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)


class CampaignDispatch:
    """Handing out questions and taking what comes back."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database, self._random = database, random

    def has_question(self, device: str, held: Collection[Key], *, now: int) -> bool:
        """Whether `claim` would find one."""
        with self._database.read() as connection:  # most pulls find nothing, and then nothing is written
            return _next(connection, device, held, now) is not None

    def claim(self, device: str, held: Collection[Key], *, now: int) -> Ask | None:
        """The question that a device shows next; `held` is what it says it has under way."""

        def work(connection: Connection) -> Ask | None:
            row = _next(connection, device, held, now)
            if row is None:
                return None
            until = min(now + TURN, row.expires_at)
            values: dict[str, Any] = {"device": device, "attempt": row.attempt + 1, "nonce": self._random(16).hex()}
            values["held_until"] = until + GRACE
            if row.state != OPENED:
                values |= {"state": DELIVERED, "changed_at": now}
            note(connection, row.id, values)
            given = one(connection, row.id)
            return Ask(row.id, device, given.attempt, given.nonce, row.person, given.content, until)

        return self._database.write(work)

    def withdrawn(self, device: str, held: Collection[Key]) -> list[Withdrawn]:
        """Of what a device has under way, what it shall take away."""
        if not held:
            return []
        with self._database.read() as connection:
            rows = _HELD.all(connection, of_device=device)
        there = [row for row in rows if row.state in FINAL and (row.id, row.attempt) in set(held)]
        return [Withdrawn(row.id, row.attempt, row.nonce) for row in there]

    def waiting_devices(self, *, now: int) -> set[str]:
        """Devices that have a question to fetch or to take away: what the slow tick nudges again."""
        with self._database.read() as connection:
            gone = {row.device for row in _TO_TAKE_AWAY.all(connection, now=now)}
            return gone | {row.device for row in _WAITING.all(connection, now=now)}

    def is_waited_for(self, device: str, *, now: int) -> bool:
        """Whether a device has a question to fetch: what it is told when it comes."""
        with self._database.read() as connection:
            return any(_may(connection, row, now) for row in _NEXT.all(connection, of_device=device, now=now))

    def take(self, response: str, device: str, attempt: int, nonce: str, heard: Heard, *, now: int) -> Recorded:
        """A device says what became of a question. Raises NotFoundError, RefusedError."""

        def work(connection: Connection) -> Recorded:
            row = one(connection, response)
            if not 0 < attempt <= row.attempt or (
                attempt == row.attempt and (row.device, row.nonce) != (device, nonce)
            ):
                raise RefusedError("not_ordered", "this question was never handed to this device")
            if attempt < row.attempt:
                return Recorded.STALE
            return _taken(connection, row, heard, now)

        return self._database.write(work)


def _taken(connection: Connection, row: Row[Any], heard: Heard, now: int) -> Recorded:
    if row.state in FINAL:
        note(connection, row.id, {"held_until": None})
        return Recorded.DUPLICATE if row.state == heard.state else Recorded.STALE
    if row.held_until is None:
        return Recorded.DUPLICATE  # it is gone from the screen already
    detail = cut(heard.detail, TEXT) or None
    match heard.state:
        case "opened":
            if row.state == OPENED and row.shown_at is not None:
                return Recorded.DUPLICATE
            note(connection, row.id, {"state": OPENED, "shown_at": row.shown_at or now, "changed_at": now})
        case "answered":
            said = {
                "answers": to_json({label: ", ".join(given) for label, given in heard.answers.items()}),
                "comments": to_json({label: cut(text, COMMENT) for label, text in heard.comments.items()}),
                "shown_at": row.shown_at or now,
                "held_until": None,
            }
            finish(connection, row, ANSWERED, "fully", said, now=now)
        case "declined":
            finish(connection, row, DECLINED, None, {"held_until": None}, now=now)
        case "unanswered":
            pause = LATER if heard.detail in PUT_OFF else SOON
            note(connection, row.id, {"held_until": None, "open_from": now + pause, "detail": detail})
        case other:
            raise RefusedError("bad_state", f"a question does not come to be {other[:32]}")
    if heard.state in (ANSWERED, DECLINED):  # who said what is nobody's business but of who reads responses
        about = {"response": row.id, "state": heard.state, "device": row.device}
        by = f"device:{row.device}"
        audit.record(connection, audit.Entry(now, by, "campaign.ended", f"campaign:{row.campaign}", about))
    return Recorded.ACCEPTED


def _next(connection: Connection, device: str, held: Collection[Key], now: int) -> Row[Any] | None:
    rows = _NEXT.all(connection, of_device=device, now=now)
    mine = [row for row in rows if row.device == device and row.held_until is not None and row.held_until > now]
    if any((row.id, row.attempt) in held for row in mine):
        return None  # one question at a time
    return next((row for row in rows if row in mine or _may(connection, row, now)), None)


def _may(connection: Connection, row: Row[Any], now: int) -> bool:
    """Whether a question may be handed to the device that `row` is about."""
    elsewhere = row.held_until is not None and row.held_until > now
    return not elsewhere and _NEWER.first(connection, of_person=row.person, at=row.at, since=row.since) is None


_now: Any = bindparam("now", type_=BigInteger)
_OPEN = (among(TABLE.c.state, OPEN), TABLE.c.open_from <= _now, TABLE.c.expires_at > _now)
# Each pull asks this: from the people of the device on, never from all that is open in the estate.
_OF_PERSON = (or_(*(TABLE.c.state.concat("") == state for state in OPEN)), *_OPEN[1:])
_NEXT = Prepared(
    select(
        TABLE.c.id, TABLE.c.person, TABLE.c.state, TABLE.c.attempt, TABLE.c.device, TABLE.c.held_until,
        TABLE.c.expires_at, PRESENT.c.since, PRESENT.c.device.label("at"),
    )
    .select_from(PRESENT).join(TABLE, TABLE.c.person == PRESENT.c.person)
    .where(PRESENT.c.device == bindparam("of_device"), *_OF_PERSON)
    .order_by(TABLE.c.id).limit(20)
)  # fmt: skip
_here = select(PRESENT.c.device).join(schema.presence, schema.presence.c.device == PRESENT.c.device)
_NEWER = Prepared(  # another connected device to which the person came later
    _here.where(
        PRESENT.c.person == bindparam("of_person"),
        PRESENT.c.device != bindparam("at"),
        PRESENT.c.since > bindparam("since", type_=BigInteger),
    ).limit(1)
)
_HELD = Prepared(
    select(TABLE.c.id, TABLE.c.attempt, TABLE.c.nonce, TABLE.c.state).where(
        TABLE.c.device == bindparam("of_device"), TABLE.c.held_until.is_not(None)
    )
)
_TO_TAKE_AWAY = Prepared(select(TABLE.c.device).where(among(TABLE.c.state, FINAL), TABLE.c.held_until > _now))
_WAITING = Prepared(
    select(PRESENT.c.device).join(TABLE, TABLE.c.person == PRESENT.c.person)
    .where(*_OPEN, TABLE.c.held_until.is_(None) | (TABLE.c.held_until <= _now)).distinct()
)  # fmt: skip
