"""Who is told when a run ends, fails or halts. Writes the tables `webhooks` and `webhook_deliveries`, and nothing else
does.

In: addresses with their sealed secrets, and events on the connection of the change they tell of. Out: deliveries that
are due. Invariants: an event is queued with its change or not at all, once for each webhook that asked for it; a
delivery stays due until it was taken or a day has passed; what waits for one webhook is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from storage.control import audit, schema_trust
from storage.control.database import Database
from storage.control.errors import NotFoundError, RefusedError
from storage.control.ids import uuid7
from storage.control.records import from_json, to_json

TABLE, DELIVERIES = schema_trust.webhooks, schema_trust.webhook_deliveries
EVENTS = ("run.ended", "run.failed", "run.halted")
SECOND = 1_000_000
MOST = 50
MOST_WAITING = 1000  # of one webhook
FIRST_PAUSE, LONGEST_PAUSE, GIVEN_UP = 10 * SECOND, 3600 * SECOND, 86_400 * SECOND
KEPT = 30 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told. Times are microseconds UTC."""

    id: str
    url: str
    events: tuple[str, ...]
    created_at: int
    created_by: str
    disabled_at: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook. `sealed` is the webhook's secret as it is stored."""

    id: str
    webhook: str
    url: str
    sealed: bytes
    event: str
    body: str
    created_at: int
    tries: int
    next_at: int | None
    delivered_at: int | None
    error: str | None


class Webhooks:
    """Keeping webhooks, and the queue of what they are told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, identifier: str, url: str, events: tuple[str, ...], sealed: bytes, *, by: str, now: int
    ) -> Webhook:
        """Store a webhook. Raises RefusedError when there are too many."""

        def work(connection: Connection) -> Webhook:
            living = select(func.count()).select_from(TABLE).where(TABLE.c.disabled_at.is_(None))
            if (connection.scalar(living) or 0) >= MOST:
                raise RefusedError("too_many_webhooks", f"there are {MOST} webhooks already; delete one first")
            values = {"id": identifier, "url": url, "events": to_json(sorted(set(events))), "secret": sealed,
                      "created_at": now, "created_by": by}  # fmt: skip
            connection.execute(insert(TABLE).values(values))
            detail = {"url": url, "events": sorted(set(events))}
            audit.record(connection, audit.Entry(now, by, "webhook.created", f"webhook:{identifier}", detail))
            return _webhook(connection.execute(select(TABLE).where(TABLE.c.id == identifier)).one())

        return self._database.write(work)

    def everything(self) -> list[Webhook]:
        """The webhooks that are not deleted, oldest first."""
        query = select(TABLE).where(TABLE.c.disabled_at.is_(None)).order_by(TABLE.c.id)
        with self._database.read() as connection:
            return [_webhook(row) for row in connection.execute(query)]

    def delete(self, identifier: str, *, by: str, now: int) -> None:
        """Tell it nothing more, what waits for it included. Raises NotFoundError."""

        def work(connection: Connection) -> None:
            living = (TABLE.c.id == identifier, TABLE.c.disabled_at.is_(None))
            if connection.execute(update(TABLE).where(*living).values(disabled_at=now)).rowcount == 0:
                raise _unknown()
            waiting = (DELIVERIES.c.webhook == identifier, DELIVERIES.c.next_at.is_not(None))
            connection.execute(update(DELIVERIES).where(*waiting).values(next_at=None, error="the webhook was deleted"))
            audit.record(connection, audit.Entry(now, by, "webhook.deleted", f"webhook:{identifier}", {}))

        self._database.write(work)

    def deliveries(self, webhook: str, limit: int = 50) -> list[Delivery]:
        """What a webhook was or will be told, newest first. Raises NotFoundError."""
        with self._database.read() as connection:
            if connection.scalar(select(TABLE.c.id).where(TABLE.c.id == webhook)) is None:
                raise _unknown()
            query = _wide().where(DELIVERIES.c.webhook == webhook).order_by(DELIVERIES.c.id.desc()).limit(limit)
            return [_delivery(row) for row in connection.execute(query)]

    def due(self, *, now: int, limit: int = 20) -> list[Delivery]:
        """Deliveries whose time has come, at most `limit` of each webhook, the longest waiting first."""
        place = func.row_number().over(partition_by=DELIVERIES.c.webhook, order_by=DELIVERIES.c.next_at)
        ranked = select(DELIVERIES.c.id, place.label("place")).where(DELIVERIES.c.next_at <= now).subquery()
        mine = _wide().join(ranked, ranked.c.id == DELIVERIES.c.id).where(ranked.c.place <= limit)
        with self._database.read() as connection:
            return [_delivery(row) for row in connection.execute(mine.order_by(DELIVERIES.c.next_at, DELIVERIES.c.id))]

    def delivered(self, identifier: str, *, now: int) -> None:
        """The receiver has it."""
        mine = DELIVERIES.c.id == identifier
        values = {"delivered_at": now, "next_at": None, "tries": DELIVERIES.c.tries + 1, "error": None}
        self._database.write(lambda connection: connection.execute(update(DELIVERIES).where(mine).values(values)))

    def failed(self, delivery: Delivery, error: str, *, now: int) -> None:
        """The receiver did not take it: again after a pause that doubles, until it is a day old."""
        next_at: int | None = now + min(FIRST_PAUSE << min(delivery.tries, 20), LONGEST_PAUSE)
        if next_at is not None and next_at > delivery.created_at + GIVEN_UP:
            next_at, error = None, f"given up after {delivery.tries + 1} tries: {error}"
        values = {"tries": delivery.tries + 1, "next_at": next_at, "error": error[:500]}
        mine = (DELIVERIES.c.id == delivery.id, DELIVERIES.c.next_at.is_not(None))  # not one deleted meanwhile
        self._database.write(lambda connection: connection.execute(update(DELIVERIES).where(*mine).values(values)))


def put(connection: Connection, event: str, run: Mapping[str, Any], *, now: int) -> None:
    """Queue an event for every webhook that asked for it, in the transaction of the change."""
    old = (DELIVERIES.c.next_at.is_(None), DELIVERIES.c.created_at < now - KEPT)
    connection.execute(delete(DELIVERIES).where(*old))
    for row in connection.execute(select(TABLE).where(TABLE.c.disabled_at.is_(None))).all():
        if event not in from_json(row.events):
            continue
        waiting = (DELIVERIES.c.webhook == row.id, DELIVERIES.c.next_at.is_not(None))
        full = (connection.scalar(select(func.count()).select_from(DELIVERIES).where(*waiting)) or 0) >= MOST_WAITING
        identifier = uuid7(now)
        body = {"id": identifier, "event": event, "time": instant_text(now), "run": run}
        values = {
            "id": identifier, "webhook": row.id, "event": event, "body": to_json(body), "created_at": now, "tries": 0,
            "next_at": None if full else now,
            "error": f"{MOST_WAITING} deliveries were waiting for this webhook already" if full else None,
        }  # fmt: skip
        connection.execute(insert(DELIVERIES).values(values))


def instant_text(micros: int) -> str:
    """An instant as ISO 8601 in UTC, to the millisecond."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unknown() -> NotFoundError:
    return NotFoundError("unknown_webhook", "there is no such webhook")


def _wide() -> Any:
    return select(DELIVERIES, TABLE.c.url, TABLE.c.secret).join(TABLE, TABLE.c.id == DELIVERIES.c.webhook)


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(row.id, row.url, tuple(from_json(row.events)), row.created_at, row.created_by, row.disabled_at)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id, row.webhook, row.url, row.secret, row.event, row.body, row.created_at, row.tries, row.next_at,
        row.delivered_at, row.error,
    )  # fmt: skip
