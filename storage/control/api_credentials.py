"""Credentials for the APIs that other people's clients speak. Writes the table `api_credentials`; nothing else does.

In: a name, the account it acts for, the APIs it may use, when it ends, its own limits; later its id and secret. Out:
what may be shown of it, once its secret, and the account with the rights that count now. Invariants: the secret is
stored as a digest; a credential that is revoked or over, or whose account is disabled, is as good as none; a name stays
taken for ever, so that the log speaks of one thing; after a rotation the secret of before counts until a named instant.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from storage.control import accounts, audit, schema
from storage.control.accounts import Account
from storage.control.database import Database
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.ids import Random, uuid7
from storage.control.records import from_json, to_json
from storage.control.secret_text import digest_of, matches, opaque

TABLE, PEOPLE = schema.api_credentials, schema.accounts
TOUCH = 60_000_000  # a use is noted at most once a minute
MOST = 100  # that an account may have in use


@dataclass(frozen=True, slots=True)
class NewApiCredential:
    """A credential to make. `apis` are names that the portal knows; `limits` are by their names, those not named are
    the portal's own."""

    name: str
    apis: frozenset[str]
    description: str = ""
    expires_at: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiCredential:
    """What may be shown of a credential. `account` is the name of the account that it acts for; until `old_until` the
    secret of before the last rotation counts, too."""

    id: str
    name: str
    description: str
    account: str
    apis: frozenset[str]
    limits: Mapping[str, int]
    created_at: int
    created_by: str
    rotated_at: int | None
    old_until: int | None
    expires_at: int | None
    used_at: int | None
    revoked_at: int | None


class ApiCredentials:
    """Making, checking, changing and revoking these credentials."""

    def __init__(self, database: Database, random: Random = secrets.token_bytes) -> None:
        self._database = database
        self._random = random

    def create(self, account: Account, new: NewApiCredential, *, by: str, now: int) -> tuple[ApiCredential, str]:
        """Make a credential that acts for an account: what may be shown, and the secret that will not be seen again.
        Raises ConflictError for a taken name, RefusedError beyond MOST."""
        identifier, secret = uuid7(now, self._random), opaque(self._random)
        values = {
            "id": identifier, "name": new.name, "folded": new.name.casefold(), "description": new.description,
            "account": account.id, "apis": to_json(sorted(new.apis)), "limits": to_json(dict(new.limits)),
            "digest": digest_of(secret), "created_at": now, "created_by": by, "expires_at": new.expires_at,
        }  # fmt: skip

        def work(connection: Connection) -> ApiCredential:
            check_free(connection, new.name)
            used = (TABLE.c.account == account.id, _lives(now))
            if (connection.scalar(select(func.count()).select_from(TABLE).where(*used)) or 0) >= MOST:
                raise RefusedError(
                    "too_many_credentials", f"an account has at most {MOST} credentials; revoke one first"
                )
            connection.execute(insert(TABLE).values(values))
            detail = {"name": new.name, "account": account.name, "apis": sorted(new.apis), "limits": dict(new.limits)}
            _note(connection, identifier, "created", detail, by, now)
            return _named(connection, new.name)

        return self._database.write(work), secret

    def check(self, identifier: str, secret: str, *, now: int) -> ApiCredential | None:
        """The credential of an id and its secret; None if they do not fit, or if it is worth nothing (any more)."""
        query = _wide().add_columns(TABLE.c.digest, TABLE.c.old_digest).where(TABLE.c.id == identifier, *_counts(now))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        before = row.old_digest if row.old_until is not None and row.old_until > now else None
        if not matches(secret, row.digest) and not (before is not None and matches(secret, before)):
            return None
        return _credential(row)

    def living(self, identifier: str, *, now: int) -> tuple[ApiCredential, Account] | None:
        """A credential of an id that is worth something now, with the account that it acts for; its use is noted."""
        columns = [column.label(f"of_{column.name}") for column in _wide().selected_columns]
        query = accounts.wide().add_columns(*columns).join(TABLE, PEOPLE.c.id == TABLE.c.account)
        with self._database.read() as connection:
            row = connection.execute(query.where(TABLE.c.id == identifier, *_counts(now))).one_or_none()
        if row is None:
            return None
        if row.of_used_at is None or row.of_used_at < now - TOUCH:
            change = update(TABLE).where(TABLE.c.id == identifier).values(used_at=now)
            self._database.note(lambda connection: connection.execute(change))
        return _credential(row, "of_"), accounts.from_row(row)

    def everything(self, account: str | None = None) -> list[ApiCredential]:
        """All credentials by name, or those that act for one account (by its id); revoked ones included."""
        query = _wide().order_by(TABLE.c.folded)
        with self._database.read() as connection:
            found = connection.execute(query if account is None else query.where(TABLE.c.account == account))
            return [_credential(row) for row in found]

    def named(self, name: str) -> ApiCredential:
        """A credential by its name in any case. Raises NotFoundError."""
        with self._database.read() as connection:
            return _named(connection, name)

    def rotate(self, name: str, *, keep_until: int, by: str, now: int) -> tuple[ApiCredential, str]:
        """Give a credential a new secret; the one of before counts until an instant. Raises NotFoundError."""
        secret = opaque(self._random)
        values = {
            "digest": digest_of(secret), "old_digest": TABLE.c.digest, "old_until": keep_until, "rotated_at": now,
        }  # fmt: skip
        return self._change(name, values, "rotated", {"old_until": keep_until}, by, now), secret

    def set_limits(self, name: str, limits: Mapping[str, int], *, by: str, now: int) -> ApiCredential:
        """Replace a credential's own limits. Raises NotFoundError."""
        said = dict(limits)
        return self._change(name, {"limits": to_json(said)}, "limits_changed", said, by, now)

    def revoke(self, name: str, *, by: str, now: int) -> None:
        """Make a credential worthless for ever. Raises NotFoundError."""
        self._change(name, {"revoked_at": now}, "revoked", {}, by, now)

    def _change(
        self, name: str, values: dict[str, Any], action: str, detail: dict[str, Any], by: str, now: int
    ) -> ApiCredential:
        def work(connection: Connection) -> ApiCredential:
            mine = (TABLE.c.folded == name.casefold(), TABLE.c.revoked_at.is_(None))
            if connection.execute(update(TABLE).where(*mine).values(values)).rowcount == 0:
                raise _unknown(name)
            changed = _named(connection, name)
            _note(connection, changed.id, action, {"name": changed.name, **detail}, by, now)
            return changed

        return self._database.write(work)


def check_free(connection: Connection, name: str) -> None:
    """Raises ConflictError where a credential of either kind has or had a name."""
    folded = name.casefold()
    programs = select(PEOPLE.c.id).where(PEOPLE.c.folded == folded, PEOPLE.c.kind == accounts.PROGRAM)
    if connection.scalar(programs) or connection.scalar(select(TABLE.c.id).where(TABLE.c.folded == folded)):
        raise ConflictError("credential_exists", f"there is, or was, a credential {name} already")


def _lives(now: int) -> Any:
    return TABLE.c.revoked_at.is_(None) & or_(TABLE.c.expires_at.is_(None), TABLE.c.expires_at > now)


def _counts(now: int) -> tuple[Any, ...]:
    """What has to hold for a credential to be worth something, beside its account."""
    return _lives(now), PEOPLE.c.disabled_at.is_(None)


def _wide() -> Select[Any]:
    """Credentials with the names of their accounts."""
    columns = [column for column in TABLE.c if column.name not in ("folded", "account", "digest", "old_digest")]
    return select(*columns, PEOPLE.c.name.label("account_name")).join(PEOPLE, PEOPLE.c.id == TABLE.c.account)


def _named(connection: Connection, name: str) -> ApiCredential:
    row = connection.execute(_wide().where(TABLE.c.folded == name.casefold())).one_or_none()
    if row is None:
        raise _unknown(name)
    return _credential(row)


def _credential(row: Row[Any], prefix: str = "") -> ApiCredential:
    told = {name.removeprefix(prefix): value for name, value in row._mapping.items() if name.startswith(prefix)}
    return ApiCredential(
        id=told["id"],
        name=told["name"],
        description=told["description"],
        account=told["account_name"],
        apis=frozenset(from_json(told["apis"])),
        limits=from_json(told["limits"]),
        created_at=told["created_at"],
        created_by=told["created_by"],
        rotated_at=told["rotated_at"],
        old_until=told["old_until"],
        expires_at=told["expires_at"],
        used_at=told["used_at"],
        revoked_at=told["revoked_at"],
    )


def _note(connection: Connection, identifier: str, what: str, detail: dict[str, Any], by: str, now: int) -> None:
    audit.record(connection, audit.Entry(now, by, f"api_credential.{what}", f"api_credential:{identifier}", detail))


def _unknown(name: str) -> NotFoundError:
    return NotFoundError("unknown_credential", f"there is no credential {name[:300]}, or it is revoked")
