"""Who may write what devices run. Writes the tables `authors` and `action_signatures`, and nothing else does.

In: public keys, and signatures that were made outside the portal. Out: the living authors, and the signature that goes
with an order. Invariants: a signature is stored only if it is right and by a living author; a newer one of the same
author replaces an older, never the other way; a removed author never comes back under the same key, since devices that
heard of the removal keep to it. An action whose newest version no living author signed is a draft.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from storage.control import audit, schema, schema_trust
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.prepared import Prepared

AUTHORS, SIGNATURES = schema_trust.authors, schema_trust.action_signatures
MOST = 64  # living authors: what a device pins at most
MOST_REMOVED = 256  # that devices are told of
AHEAD = 86_400_000_000  # how far the clock of an author may be ahead: a device never goes back behind a serial
Verify = Callable[[bytes, bytes], bool]  # (public key, signature)


@dataclass(frozen=True, slots=True)
class Author:
    """An author. `id` is the SHA-256 of the key in hexadecimal; `endorsed_by` the id of who vouches for it."""

    id: str
    name: str
    key: bytes
    endorsed_by: str | None
    endorsement: bytes | None
    added_at: int
    added_by: str
    removed_at: int | None


@dataclass(frozen=True, slots=True)
class Signed:
    """An author's signature of a version; `name` is the author's."""

    nql_id: str
    version: str
    author: str
    name: str
    serial: int
    signature: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A signature on its way in: the author's raw public key, the serial, the signature, and how it is verified."""

    key: bytes
    serial: int
    signature: bytes
    verify: Verify


class Authors:
    """Authors and their signatures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, key: bytes, *, by: str, now: int) -> Author:
        """Take an author in; the same key again changes nothing. Raises RefusedError: removed_author,
        too_many_authors."""
        identifier = sha256(key).hexdigest()

        def work(connection: Connection) -> Author:
            row = connection.execute(select(AUTHORS).where(AUTHORS.c.id == identifier)).one_or_none()
            if row is not None and row.removed_at is not None:
                raise RefusedError(
                    "removed_author",
                    "this key was removed, and devices keep to that: make a new one with `muster authors create`",
                )
            if row is not None:
                return _author(row)
            if len(_living(connection)) >= MOST:
                raise RefusedError("too_many_authors", f"{MOST} authors are the most; remove one first")
            values = {"id": identifier, "name": name, "key": key, "added_at": now, "added_by": by}
            connection.execute(insert(AUTHORS).values(values))
            detail = {"name": name, "fingerprint": identifier[:16]}
            audit.record(connection, audit.Entry(now, by, "author.added", f"author:{identifier}", detail))
            return _find(connection, identifier)

        return self._database.write(work)

    def endorse(self, identifier: str, by_key: bytes, signature: bytes, verify: Verify, *, by: str, now: int) -> Author:
        """Note that a living author vouches for another, so that devices that are enrolled already trust it. Raises
        NotFoundError, RefusedError."""

        def work(connection: Connection) -> Author:
            author, voucher = _find(connection, identifier), _find(connection, sha256(by_key).hexdigest())
            for one in (author, voucher):
                if one.removed_at is not None:
                    raise RefusedError("removed_author", f"the author {one.name} was removed")
            if author.id == voucher.id:
                raise RefusedError("own_endorsement", "an author does not vouch for itself")
            if not verify(voucher.key, signature):
                raise RefusedError("bad_signature", "the endorsement is not signed by the author that it names")
            change = {"endorsed_by": voucher.id, "endorsement": signature}
            connection.execute(update(AUTHORS).where(AUTHORS.c.id == author.id).values(change))
            detail = {"name": author.name, "by": voucher.name}
            audit.record(connection, audit.Entry(now, by, "author.endorsed", f"author:{author.id}", detail))
            return _find(connection, author.id)

        return self._database.write(work)

    def remove(self, identifier: str, *, by: str, now: int) -> Author:
        """Trust an author no more, for good. Its signatures count no more. Raises NotFoundError."""

        def work(connection: Connection) -> Author:
            author = _find(connection, identifier)
            if author.removed_at is None:
                connection.execute(update(AUTHORS).where(AUTHORS.c.id == author.id).values(removed_at=now))
                entry = audit.Entry(now, by, "author.removed", f"author:{author.id}", {"name": author.name})
                audit.record(connection, entry)
            return _find(connection, author.id)

        return self._database.write(work)

    def everyone(self) -> list[Author]:
        """All authors, those that were removed too, by when they came."""
        with self._database.read() as connection:
            rows = connection.execute(select(AUTHORS).order_by(AUTHORS.c.added_at, AUTHORS.c.id)).all()
        return [_author(row) for row in rows]

    def living(self) -> list[Author]:
        """The authors that are trusted now."""
        with self._database.read() as connection:
            return _living(connection)

    def sign(self, nql_id: str, version: str, offer: Offer, *, by: str, now: int) -> Signed:
        """Store a signature of a version. Raises NotFoundError, RefusedError, ConflictError (older than the stored)."""
        if offer.serial > now + AHEAD:
            raise RefusedError(
                "future_serial", "the signature's time lies ahead: set the clock where it was made, and sign again"
            )

        def work(connection: Connection) -> Signed:
            _check_version(connection, nql_id, version)
            author = _author_of(connection, offer)
            mine = (
                (SIGNATURES.c.nql_id == nql_id) & (SIGNATURES.c.version == version) & (SIGNATURES.c.author == author.id)
            )
            known = connection.scalar(select(SIGNATURES.c.serial).where(mine))
            if known is not None and known > offer.serial:
                raise ConflictError("older_signature", "a newer signature of this author is stored already")
            values = {"serial": offer.serial, "signature": offer.signature, "received_at": now, "received_by": by}
            if known is None:
                values |= {"nql_id": nql_id, "version": version, "author": author.id}
                connection.execute(insert(SIGNATURES).values(values))
            elif known < offer.serial:
                connection.execute(update(SIGNATURES).where(mine).values(values))
            if known != offer.serial:
                detail = {"version": version, "author": author.name, "serial": offer.serial}
                audit.record(connection, audit.Entry(now, by, "action.signed", f"action:{nql_id}", detail))
            return Signed(nql_id, version, author.id, author.name, offer.serial, offer.signature, now)

        return self._database.write(work)

    def signatures(self, nql_id: str, version: str) -> list[Signed]:
        """The signatures of a version by living authors, the newest first."""
        with self._database.read() as connection:
            return signatures(connection, nql_id, version)

    def signed_by(self, versions: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
        """The names of the living authors who signed each (action, version) that anybody signed."""
        wanted, found = set(versions), dict[tuple[str, str], list[str]]()
        with self._database.read() as connection:
            for row in connection.execute(_signatures().order_by(AUTHORS.c.name)):
                if (row.nql_id, row.version) in wanted:
                    found.setdefault((row.nql_id, row.version), []).append(row.name)
        return found

    def is_draft(self, nql_id: str, version: str) -> bool:
        """Whether no living author signed a version: devices that run only signed scripts will not run it."""
        return not self.signatures(nql_id, version)

    def signature_for(self, nql_id: str, version: str, *, enrolled_at: int) -> Signed | None:
        """The signature that goes with an order to a device enrolled then: the newest by an author it can know, which
        is one who was there before it or whom another vouches for; else the newest at all."""
        with self._database.read() as connection:
            rows = _OF_VERSION.all(connection, of_action=nql_id, of_version=version)
        known = [row for row in rows if row.endorsed_by is not None or row.added_at <= enrolled_at]
        return next((_signed(row) for row in known or rows), None)


def signatures(connection: Connection, nql_id: str, version: str) -> list[Signed]:
    """As `Authors.signatures`, on the caller's connection."""
    return [_signed(row) for row in _OF_VERSION.all(connection, of_action=nql_id, of_version=version)]


def _signatures() -> Any:
    query = (
        select(SIGNATURES, AUTHORS.c.name, AUTHORS.c.endorsed_by, AUTHORS.c.added_at)
        .join(AUTHORS, AUTHORS.c.id == SIGNATURES.c.author)
        .where(AUTHORS.c.removed_at.is_(None))
    )
    return query.order_by(SIGNATURES.c.serial.desc(), AUTHORS.c.added_at)


_OF_VERSION = Prepared(
    _signatures().where(SIGNATURES.c.nql_id == bindparam("of_action"), SIGNATURES.c.version == bindparam("of_version"))
)


def _signed(row: Row[Any]) -> Signed:
    return Signed(row.nql_id, row.version, row.author, row.name, row.serial, row.signature, row.received_at)


def _check_version(connection: Connection, nql_id: str, version: str) -> None:
    table = schema.action_versions
    mine = (table.c.nql_id == nql_id) & (table.c.version == version)
    if not connection.scalar(select(func.count()).select_from(table).where(mine)):
        raise NotFoundError(
            "unknown_version", f"there is no version {version[:12]} of {nql_id}: apply the action, then send it"
        )


def _author_of(connection: Connection, offer: Offer) -> Author:
    identifier = sha256(offer.key).hexdigest()
    row = connection.execute(select(AUTHORS).where(AUTHORS.c.id == identifier)).one_or_none()
    if row is None or row.removed_at is not None:
        gone = "was removed" if row is not None else "is not known here: `muster authors add FILE.pub` makes it known"
        raise RefusedError("unknown_author", f"the author {identifier[:16]} {gone}")
    if not offer.verify(offer.key, offer.signature):
        raise RefusedError("bad_signature", "the signature is not that of its author over this action and version")
    return _author(row)


def _find(connection: Connection, identifier: str) -> Author:
    """The author of a full id, or of its first 16 digits."""
    column = AUTHORS.c.id if len(identifier) == 64 else func.substr(AUTHORS.c.id, 1, 16)
    row = connection.execute(select(AUTHORS).where(column == identifier)).one_or_none()
    if row is None:
        raise NotFoundError("unknown_author", f"there is no author {identifier[:64]}")
    return _author(row)


def _living(connection: Connection) -> list[Author]:
    query = select(AUTHORS).where(AUTHORS.c.removed_at.is_(None)).order_by(AUTHORS.c.added_at, AUTHORS.c.id)
    return [_author(row) for row in connection.execute(query)]


def _author(row: Row[Any]) -> Author:
    return Author(**row._mapping)
