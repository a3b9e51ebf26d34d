"""What people were asked by the portal, and what they said. Writes the tables `campaign_requests` and
`campaign_responses`, and nothing else does.

In: requests with the people they are for; what devices report. Out: responses, each of one person; questions for the
device at which that person sits; rows of `campaign.responses`. Invariants: a person has one open response of a campaign
at most; a response is on one device at a time, and what another one or an earlier attempt says changes nothing; what is
over stays as it ended; a final state and its row for the tables are one transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from storage.control import audit, campaigns, outbox, schema_campaigns
from storage.control.campaign_definition import filled
from storage.control.campaign_rows import ROWS, table_row
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.prepared import texts
from storage.control.records import from_json, to_json

REQUESTS, TABLE = schema_campaigns.requests, schema_campaigns.responses
TARGETED, DELIVERED, OPENED = OPEN = ("targeted", "delivered", "opened")
ANSWERED, DECLINED, EXPIRED = FINAL = ("answered", "declined", "expired")
MOST_PEOPLE = 10_000
MINUTE = 60_000_000
LONGEST = 525_600 * MINUTE
PIECE = 500


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What is asked of people. `cause` says what asked, such as a step of a workflow."""

    campaign: str
    parameters: Mapping[str, str]
    expires_at: int
    requested_by: str  # the name of an account
    trigger_method: str = "api"
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Addressee:
    """A person, by the key of `user.users`, and how whoever asks named him."""

    person: str
    named: str


@dataclass(frozen=True, slots=True)
class Response:
    """One person's response. `answers` are the labels of what was chosen, `comments` what was written, by question.
    Times are microseconds UTC."""

    id: str
    request: str
    campaign: str
    person: str
    named: str
    state: str
    detail: str | None
    device: str | None
    targeted_at: int
    shown_at: int | None
    changed_at: int
    expires_at: int
    requested_by: str
    trigger_method: str
    answers: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in FINAL


class CampaignResponses:
    """Asking people, and what became of it."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database, self._random = database, random

    def send(self, request: NewRequest, people: Sequence[Addressee], *, now: int) -> list[Response | None]:
        """A response for each person in their order, all or none; None for who is being asked the same already. Raises
        NotFoundError, RefusedError."""
        if not people:
            raise RefusedError("no_people", "nobody is named who could be asked")
        if len(people) > MOST_PEOPLE:
            raise RefusedError("too_many_people", f"a request names {MOST_PEOPLE} people at most")
        if not now < request.expires_at <= now + LONGEST:
            raise RefusedError("bad_expiry", f"a request expires 1 to {LONGEST // MINUTE} minutes from now")

        def work(connection: Connection) -> list[Response | None]:
            campaign = campaigns.load(connection, request.campaign).definition
            if campaign.status != "published":
                raise RefusedError("retired_campaign", f"the campaign {campaign.nql_id} is retired")
            if request.trigger_method not in campaign.triggers:
                message = f"the campaign {campaign.nql_id} does not have the trigger {request.trigger_method}"
                raise RefusedError("trigger_not_allowed", message)
            content = to_json(filled(campaign, request.parameters))
            busy = _asked(connection, campaign.nql_id, {one.person for one in people})
            new = [one for one in people if one.person not in busy]
            if not new:
                return [None] * len(people)
            request_id, made = uuid7(now, self._random), dict[str, str]()
            _keep(connection, request, request_id, campaigns.load(connection, campaign.nql_id).version, content, now)
            for one in new:
                made.setdefault(one.person, uuid7(now, self._random))
            _add(connection, request, request_id, campaign.nql_id, {one.person: one.named for one in new}, made, now)
            subject, by = f"campaign:{campaign.nql_id}", f"account:{request.requested_by}"
            detail = {"request": request_id, "people": len(made), "trigger": request.trigger_method}
            audit.record(connection, audit.Entry(now, by, "campaign.sent", subject, detail))
            rows = _wide(connection, TABLE.c.request == request_id)
            known = {row.person: _response(row) for row in rows}
            return [known.get(one.person) for one in people]

        return self._database.write(work)

    def response(self, identifier: str) -> Response:
        """One response. Raises NotFoundError."""
        with self._database.read() as connection:
            return _response(one(connection, identifier))

    def named(self, identifiers: Collection[str]) -> dict[str, Response]:
        """Those of these ids that are there."""
        wanted = TABLE.c.id.in_(texts(to_json(sorted(identifiers))))
        with self._database.read() as connection:
            return {row.id: _response(row) for row in _wide(connection, wanted)}

    def latest(self, campaign: str | None = None, limit: int = 100, *, before: str | None = None) -> list[Response]:
        """Responses, newest first; `before` is the id of one to page on from."""
        wanted = [TABLE.c.campaign == campaign] if campaign is not None else []
        wanted += [TABLE.c.id < before] if before is not None else []
        query = wide().where(*wanted).order_by(TABLE.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_response(row) for row in connection.execute(query)]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many responses of each campaign are in each state."""
        query = select(TABLE.c.campaign, TABLE.c.state, func.count()).group_by(TABLE.c.campaign, TABLE.c.state)
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for campaign, state, count in connection.execute(query):
                found.setdefault(campaign, {})[state] = count
        return found

    def cancel(self, identifier: str, *, by: str, now: int) -> Response:
        """Ask this person no more; what is over stays. Raises NotFoundError."""

        def work(connection: Connection) -> Response:
            row = one(connection, identifier)
            if row.state in OPEN:
                finish(connection, row, EXPIRED, "cancelled", {}, now=now)
                entry = audit.Entry(now, by, "campaign.cancelled", f"campaign:{row.campaign}", {"response": row.id})
                audit.record(connection, entry)
            return _response(one(connection, identifier))

        return self._database.write(work)

    def tick(self, *, now: int) -> int:
        """End what has expired; how many. What a device holds is left to it until it must have let go."""
        free = or_(TABLE.c.held_until.is_(None), TABLE.c.held_until <= now)
        over = (TABLE.c.state.in_(OPEN), TABLE.c.expires_at <= now, free)
        with self._database.read() as connection:
            if connection.scalar(select(TABLE.c.id).where(*over).limit(1)) is None:
                return 0

        def work(connection: Connection) -> int:
            rows = connection.execute(wide().where(*over).limit(PIECE)).all()
            for row in rows:
                finish(connection, row, EXPIRED, row.detail, {}, now=now)
            return len(rows)

        return self._database.write(work)

    def rows_after(self, sequence: int) -> list[dict[str, Any]]:
        """Rows of `campaign.responses` that the tables, having all up to `sequence`, lack: open ones and later finals;
        one instant."""
        with self._database.read() as connection:
            later = [message.row for message in outbox.after(connection, sequence, table=ROWS)]
            return [table_row(row) for row in _wide(connection, TABLE.c.state.in_(OPEN))] + later


def wide() -> Any:
    """The query of responses with the columns of their requests."""
    more = (REQUESTS.c.content, REQUESTS.c.parameters, REQUESTS.c.trigger_method, REQUESTS.c.requested_by)
    return select(TABLE, *more).join(REQUESTS, REQUESTS.c.id == TABLE.c.request)


def one(connection: Connection, identifier: str) -> Row[Any]:
    """One response, wide, read in the caller's transaction. Raises NotFoundError."""
    rows = _wide(connection, TABLE.c.id == identifier)
    if not rows:
        raise NotFoundError("unknown_response", "there is no such response")
    return rows[0]


def note(connection: Connection, identifier: str, values: Mapping[str, Any]) -> None:
    """Change columns of a response that is not over."""
    connection.execute(update(TABLE).where(TABLE.c.id == identifier).values(**values))


def finish(
    connection: Connection, row: Row[Any], state: str, detail: str | None, values: Mapping[str, Any], *, now: int
) -> None:
    """End a response, with its row for the tables."""
    note(connection, row.id, {"state": state, "detail": detail, "changed_at": now, **values})
    outbox.put(connection, [(ROWS, table_row(one(connection, row.id)))], now=now)


def _wide(connection: Connection, *wanted: Any) -> Sequence[Row[Any]]:
    rows: Sequence[Row[Any]] = connection.execute(wide().where(*wanted).order_by(TABLE.c.id)).all()
    return rows


def _asked(connection: Connection, campaign: str, people: Collection[str]) -> set[str]:
    among = TABLE.c.person.in_(texts(to_json(sorted(people))))
    query = select(TABLE.c.person).where(TABLE.c.campaign == campaign, TABLE.c.state.in_(OPEN), among)
    return set(connection.scalars(query))


def _keep(connection: Connection, request: NewRequest, identifier: str, version: str, content: str, now: int) -> None:
    values = {
        "id": identifier, "campaign": request.campaign, "version": version, "content": content,
        "parameters": to_json(dict(request.parameters)), "trigger_method": request.trigger_method,
        "requested_by": request.requested_by, "requested_at": now, "expires_at": request.expires_at,
        "cause": request.cause,
    }  # fmt: skip
    connection.execute(insert(REQUESTS).values(values))


def _add(
    connection: Connection,
    request: NewRequest,
    request_id: str,
    campaign: str,
    named: Mapping[str, str],
    made: Mapping[str, str],
    now: int,
) -> None:
    common = {
        "request": request_id, "campaign": campaign, "state": TARGETED, "attempt": 0, "open_from": now,
        "targeted_at": now, "changed_at": now, "expires_at": request.expires_at,
    }  # fmt: skip
    rows = [common | {"id": made[person], "person": person, "named": name} for person, name in named.items()]
    connection.execute(insert(TABLE), rows)


def _response(row: Row[Any]) -> Response:
    return Response(
        id=row.id,
        request=row.request,
        campaign=row.campaign,
        person=row.person,
        named=row.named,
        state=row.state,
        detail=row.detail,
        device=row.device,
        targeted_at=row.targeted_at,
        shown_at=row.shown_at,
        changed_at=row.changed_at,
        expires_at=row.expires_at,
        requested_by=row.requested_by,
        trigger_method=row.trigger_method,
        answers=from_json(row.answers) or {},
        comments=from_json(row.comments) or {},
        parameters=from_json(row.parameters) or {},
    )
