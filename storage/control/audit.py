"""The audit log: who changed what, when. Writes the tables `audit` and `audit_relayed`, and nothing else does.

In: facts of a change, on the connection of that change, so that the two stand or fall together. Out: entries, newest
first; whether the log is as it was written; groups of entries for the tables. Invariants: append only (the database
itself refuses updates and deletes); entries are numbered without gaps, and each carries the SHA-256 of the hash before
it and its own content, so that one that was changed, left out or put in shows. An erasure takes words out of entries:
their hashes stay, and a later entry of the chain vouches for what they say since. What was cut off at the end shows
only beside a hash that somebody kept, or beside what the tables have. No secret is ever handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from storage.control import origin, schema
from storage.control.database import REMEMBERED, Database
from storage.control.prepared import Prepared
from storage.control.records import digest_of_json, from_json, to_json
from storage.control.words import mentions
from storage.naming import Naming

TABLE, RELAYED = schema.audit, schema.audit_relayed
PORTAL = "portal"  # the actor of what happens by itself: expiry, lost contact
REFUSED = "request.refused"  # the action of an attempt that was not allowed
EXECUTION = "execution."  # what devices did: the tables have it as executions
PIECE = 5000
BLANKED = "audit.blanked"  # the action of an entry that vouches for what others say since an erasure
UNFIT = "its hash does not fit its content and the entry before it"
VOUCHED = 200  # entries that one such entry vouches for
ASKED = "@asked"  # in a stored detail: the request and the credential
HEAD = "head"  # what the writer remembers of the log within a transaction
_HEAD = Prepared(select(TABLE.c.sequence, TABLE.c.hash).order_by(TABLE.c.sequence.desc()).limit(1))
_INSERT = Prepared(insert(TABLE), ("sequence", "time", "actor", "action", "subject", "detail", "hash"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `actor` is `account:<name>`, `device:<uid>` or `portal`; `action` such as `run.created`;
    `subject` what it is about."""

    time: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    sequence: int = 0
    request: str = ""  # the id of the request in which it was made
    credential: str = ""  # by which the account asked, if it was one


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the whole log found. `unhashed` entries are older than the chain; `broken` is the sequence of the
    first entry that does not fit, None if all do; `head` is the newest hash, to be kept somewhere else; `blanked`
    counts entries whose words an erasure took, as a later entry says."""

    entries: int
    unhashed: int
    last: int
    head: str
    broken: int | None
    reason: str = ""
    blanked: int = 0


def record(connection: Connection, entry: Entry) -> None:
    """Append one entry in the transaction of the change."""
    record_all(connection, [entry])


def record_all(connection: Connection, entries: Iterable[Entry]) -> None:
    """Append many entries in the transaction of their change."""
    entries = list(entries)
    if not entries:
        return
    known = connection.info.get(REMEMBERED, {})
    sequence, before = known.get(HEAD) or _HEAD.first(connection) or (0, None)
    rows = []
    for entry in entries:
        sequence += 1
        detail = to_json(_with_origin(entry))
        before = hash_of(before, sequence, entry.time, entry.actor, entry.action, entry.subject, detail)
        rows.append(
            {
                "sequence": sequence,
                "time": entry.time,
                "actor": entry.actor,
                "action": entry.action,
                "subject": entry.subject,
                "detail": detail,
                "hash": before,
            }
        )
    _INSERT.many(connection, rows)
    known[HEAD] = (sequence, before)


def head(connection: Connection) -> int:
    """The sequence of the newest entry, 0 of none."""
    row = _HEAD.first(connection)
    return 0 if row is None else int(row.sequence)


def about(
    connection: Connection, subject: str, between: tuple[int, int], actions: Sequence[str], limit: int
) -> list[Entry]:
    """The entries about a subject after one sequence and up to another, oldest first, whose action is like one of
    these."""
    after, to = between
    query = _after(after).where(TABLE.c.sequence <= to, TABLE.c.subject == subject)
    query = query.where(or_(*(TABLE.c.action.like(action) for action in actions))).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def hash_of(before: bytes | None, *entry: int | str) -> bytes:
    """The hash of an entry (sequence, time, actor, action, subject, detail as its text) after another; the first one
    comes after none."""
    return sha256((before or b"") + to_json(entry).encode()).digest()


def naming_entries(connection: Connection, words: Naming, *, after: int = 0) -> list[int]:
    """The entries after one that hold any of these words, by their sequence. Blocks for a second a million entries."""
    query = select(TABLE).where(TABLE.c.sequence > after, TABLE.c.action != BLANKED)
    found = connection.execute(query.where(mentions(words, TABLE.c.actor, TABLE.c.subject, TABLE.c.detail)))
    return [row.sequence for row in found if _less(row, words) != (row.actor, row.subject, row.detail)]


def blank(connection: Connection, words: Naming, sequences: Iterable[int], subject: str, *, by: str, now: int) -> int:
    """Take words out of entries, and vouch for what they say then; how many. Only for an erasure that has come to it:
    else the database refuses."""
    vouched: dict[str, str] = {}
    for sequence in sequences:
        row = connection.execute(select(TABLE).where(TABLE.c.sequence == sequence)).one()
        actor, about, detail = _less(row, words)
        if (actor, about, detail) != (row.actor, row.subject, row.detail):
            change = update(TABLE).where(TABLE.c.sequence == sequence)
            connection.execute(change.values(actor=actor, subject=about, detail=detail))
            vouched[str(sequence)] = _digest(sequence, row.time, actor, row.action, about, detail)
    told = list(vouched.items())
    pieces = [dict(told[start : start + VOUCHED]) for start in range(0, len(told), VOUCHED)]
    record_all(connection, [Entry(now, by, BLANKED, subject, {"entries": piece}) for piece in pieces])
    return len(vouched)


def _less(row: Row[Any], words: Naming) -> tuple[str, str, str]:
    """Actor, subject and detail without words. Accounts are nobody's device or person, whatever they are called."""
    about = words.blanked(row.subject, ids_only=True)
    return words.blanked(row.actor, ids_only=True), about, words.blanked(row.detail)


def _digest(*entry: int | str) -> str:
    return digest_of_json(list(entry))


class Audit:
    """Reading the log, checking it, handing it to the tables, and noting what happens outside the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, entry: Entry) -> None:
        """Append the entry of a change that is no change of the database."""
        self._database.write(lambda connection: record(connection, entry))

    def latest(self, limit: int = 100, *, before: int | None = None, subject: str | None = None) -> list[Entry]:
        """Entries, newest first; `before` is a sequence to page on."""
        query = select(TABLE).order_by(TABLE.c.sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(TABLE.c.sequence < before)
        if subject is not None:
            query = query.where(TABLE.c.subject == subject)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def changes(self, after: int, limit: int) -> list[Entry]:
        """The first entries after a number that are not of executions, oldest first."""
        query = _after(after).where(TABLE.c.action.not_like(f"{EXECUTION}%")).limit(limit)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def verify(self) -> Verified:
        """Look at the whole log. Blocks for about 12 s a million entries."""
        check = _Check()
        with self._database.read() as connection:
            sent = _position(connection, "tables")
            after = 0
            while check.broken is None:
                rows = connection.execute(_after(after).limit(PIECE)).all()
                if not rows:
                    break
                check.take(rows)
                after = rows[-1].sequence
        return check.said(sent)

    def next_group(self, limit: int = 1000) -> tuple[int, list[Entry]]:
        """The sequence up to which the tables shall have the log next, and the entries of that group; 0 if they have
        it all. The group stays the same, over any crash, until it is marked. What executions did is left out."""
        with self._database.read() as connection:
            newest = connection.scalar(select(func.max(TABLE.c.sequence))) or 0
            sent, planned = _position(connection, "tables"), _position(connection, "planned")
        if newest <= sent:
            return 0, []
        if planned <= sent:
            planned = min(newest, sent + limit)
            self._database.write(lambda connection: _put(connection, "planned", planned))
        with self._database.read() as connection:
            rows = connection.execute(_after(sent).where(TABLE.c.sequence <= planned))
            return planned, [_entry(row) for row in rows if not row.action.startswith(EXECUTION)]

    def mark(self, sequence: int) -> None:
        """The tables have the log up to here, no more and no less."""
        self._database.write(lambda connection: _put(connection, "tables", sequence))


class _Check:
    """The chain as far as it was followed."""

    def __init__(self) -> None:
        self.entries = self.unhashed = self.last = 0
        self.head: bytes | None = None
        self.broken: int | None = None
        self.reason = ""
        self._changed: dict[int, str] = {}  # entries that are not what their hash says, by what they are
        self._vouched: dict[int, str] = {}

    def take(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            self.entries += 1
            if reason := self._wrong(row):
                self.broken, self.reason = row.sequence, reason
                return
            self._vouch(row)
            self.last = row.sequence
            self.head = row.hash or self.head
            self.unhashed += row.hash is None

    def _vouch(self, row: Row[Any]) -> None:
        if row.action != BLANKED or row.sequence in self._changed:
            return
        for sequence, digest in from_json(row.detail).get("entries", {}).items():
            if sequence.isdigit() and int(sequence) < row.sequence:
                self._vouched[int(sequence)] = digest

    def _wrong(self, row: Row[Any]) -> str:
        if row.hash is None:
            return "it has no hash, though an entry before it has" if self.head is not None else ""
        if self.head is not None and row.sequence != self.last + 1:
            return f"entries between {self.last} and it are missing"
        if not isinstance(row.hash, bytes):
            return UNFIT
        content = (row.sequence, row.time, row.actor, row.action, row.subject, row.detail)
        if hash_of(self.head, *content) != row.hash:  # the next entry's hash still says whether this one's is its own
            self._changed[row.sequence] = _digest(*content)
        return ""

    def said(self, sent: int) -> Verified:
        blanked = {sequence for sequence, digest in self._changed.items() if self._vouched.get(sequence) == digest}
        if wrong := self._changed.keys() - blanked:
            self.broken, self.reason = min(wrong), UNFIT
        if self.broken is None and self.last < sent:
            self.broken, self.reason = self.last + 1, f"the tables have entries up to {sent}: the end is cut off"
        head = "" if self.head is None else self.head.hex()
        return Verified(self.entries, self.unhashed, self.last, head, self.broken, self.reason, len(blanked))


def _after(sequence: int) -> Any:
    return select(TABLE).where(TABLE.c.sequence > sequence).order_by(TABLE.c.sequence)


def _position(connection: Connection, stream: str) -> int:
    return connection.scalar(select(RELAYED.c.sequence).where(RELAYED.c.stream == stream)) or 0


def _put(connection: Connection, stream: str, sequence: int) -> None:
    named = RELAYED.c.stream == stream
    if connection.execute(update(RELAYED).where(named).values(sequence=sequence)).rowcount == 0:
        connection.execute(insert(RELAYED).values(stream=stream, sequence=sequence))


def _with_origin(entry: Entry) -> Mapping[str, Any]:
    """What is stored as the detail of an entry: it says in which request, so that the hash holds that, too."""
    asked = origin.current()
    if asked is None or asked.actor != entry.actor:
        return entry.detail
    by = {} if asked.credential is None else {"credential": asked.credential}
    return {**entry.detail, ASKED: {"request": asked.request, **by}}


def _entry(row: Row[Any]) -> Entry:
    detail = from_json(row.detail)
    asked = detail.pop(ASKED, {})
    by = (asked.get("request", ""), asked.get("credential", ""))
    return Entry(row.time, row.actor, row.action, row.subject, detail, row.sequence, *by)
