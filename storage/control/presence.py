"""When devices were connected. Writes the table `presence`, and nothing else does.

In: moves of devices, in their order. Out: open intervals here, closed ones as outbox rows for `device.presences`.
Invariants: a device has one open interval at most; an interval that is closed here is on its way to the tables in the
same transaction; what a portal that died left open is closed at the last instant at which it was seen. That a device
comes or goes is no change that somebody made, so there is no audit row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from storage.control import outbox, schema
from storage.control.database import Database
from storage.control.prepared import texts
from storage.control.records import to_json

TABLE = schema.presence
ROWS = "device.presences"
PIECE = 500


@dataclass(frozen=True, slots=True)
class Move:
    """A device came at an instant, or left, and then `reason` says why, and `since` (where there are several portals)
    when what has ended began: the device may have come to another portal meanwhile."""

    device: str
    at: int
    reason: str | None = None
    since: int | None = None


class Presence:
    """Open intervals, and those that end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, moves: Sequence[Move], *, now: int) -> int:
        """Take moves, oldest first; how many intervals have ended."""

        def work(connection: Connection) -> int:
            before = _open(connection, {move.device for move in moves})
            after, ended = dict(before), list[dict[str, Any]]()
            for move in moves:
                if move.since is not None and after.get(move.device) != move.since:
                    continue
                since = after.pop(move.device, None)
                if since is not None:
                    ended.append(row(move.device, since, max(move.at, since), move.reason or "left"))
                if move.reason is None:
                    after[move.device] = move.at
            _replace(connection, before, after, now)
            outbox.put(connection, [(ROWS, one) for one in ended], now=now)
            return len(ended)

        return self._database.write(work) if moves else 0

    def seen(self, *, now: int, devices: Collection[str] | None = None) -> None:
        """Whoever is connected is still connected; of several portals each says it of its own devices."""
        meant = _of(devices)
        self._database.note(lambda connection: connection.execute(update(TABLE).where(*meant).values(seen_at=now)))

    def close_all(
        self, reason: str, now: int | None, *, devices: Collection[str] | None = None, silent_since: int | None = None
    ) -> int:
        """End every interval, now or when it was last seen; how many. Where there are several portals: those of some
        devices, or those that none has seen since an instant."""
        meant = _of(devices)
        if silent_since is not None:
            meant.append(TABLE.c.seen_at < silent_since)

        def work(connection: Connection) -> int:
            found = connection.execute(select(TABLE).where(*meant)).all()
            rows = [row(one.device, one.since, max(one.since, now or one.seen_at), reason) for one in found]
            connection.execute(delete(TABLE).where(*meant))
            outbox.put(connection, [(ROWS, one) for one in rows], now=now or max((r.seen_at for r in found), default=0))
            return len(rows)

        return self._database.write(work)

    def rows_after(self, sequence: int) -> list[dict[str, Any]]:
        """Rows of `device.presences` that the tables, having all up to `sequence`, lack: open ones, and those that
        ended later; one instant."""
        with self._database.read() as connection:
            later = [message.row for message in outbox.after(connection, sequence, table=ROWS)]
            found = connection.execute(select(TABLE.c.device, TABLE.c.since)).all()
            return [row(device, since) for device, since in found] + later


def row(device: str, since: int, until: int | None = None, reason: str | None = None) -> dict[str, Any]:
    """An interval as a row of `device.presences`."""
    return {
        "start_time": since,
        "end_time": until,
        "duration": None if until is None else until - since,
        "status": "connected" if until is None else "ended",
        "reason": reason,
        "@device": device,
    }


def _of(devices: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if devices is None else [TABLE.c.device.in_(texts(to_json(sorted(devices))))]


def _open(connection: Connection, devices: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for piece in _pieces(sorted(devices)):
        query = select(TABLE.c.device, TABLE.c.since).where(TABLE.c.device.in_(piece))
        found |= {one.device: one.since for one in connection.execute(query)}
    return found


def _replace(connection: Connection, before: dict[str, int], after: dict[str, int], now: int) -> None:
    gone = [{"gone": device} for device, since in before.items() if after.get(device) != since]
    new = [
        {"device": device, "since": since, "seen_at": max(now, since)}
        for device, since in after.items()
        if before.get(device) != since
    ]
    if gone:
        connection.execute(delete(TABLE).where(TABLE.c.device == bindparam("gone")), gone)
    if new:
        connection.execute(insert(TABLE), new)


def _pieces(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[start : start + PIECE] for start in range(0, len(items), PIECE))
