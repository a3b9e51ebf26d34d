"""What a PostgreSQL server is told and asked that SQLite is not: the order of writers, settings, errors, doubts.

In: engines, connections, errors of the driver. Out: the same promises that SQLite's single writer gives. Invariants:
one transaction of all processes writes at a time, from before its first look to after its commit, so that numbers, the
chain of the audit log and every "look, then write" have one order; a reader sees one instant; a commit whose answer
was lost is not guessed but looked up; the server's settings do not weaken any of this.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from storage.control.errors import RefusedError

WRITERS = 0x6D757374_65720001  # the advisory lock that the one writer of the database holds
WAIT_MILLISECONDS = 10_000  # for other writers
IDLE_MILLISECONDS = 20_000  # a writer that says nothing for so long (paused, cut off) lets the others go on
LOOKS, LOOK_SECONDS = 20, 0.5  # after what became of a commit
DIALECT = "postgresql"
SETTINGS = {
    "application_name": "muster",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_MARK = text(
    "WITH gone AS (DELETE FROM commits WHERE at < now() - interval '7 days')"
    " INSERT INTO commits (writer, token, at) VALUES (:writer, :token, now())"
    " ON CONFLICT (writer) DO UPDATE SET token = excluded.token, at = excluded.at"
)
_MARKED = text("SELECT token FROM commits WHERE writer = :writer")


def is_postgres(url: str) -> bool:
    """Whether a URL names a PostgreSQL server."""
    return url.startswith(("postgresql:", "postgresql+psycopg:", "postgres:"))


def engine(url: str, *, writes: bool, connections: int) -> Engine:
    """An engine whose transactions write in turn, or read one instant. Raises RefusedError."""
    try:
        named = make_url(url).set(drivername="postgresql+psycopg")
        if named.password is not None or "password" in named.query:
            raise RefusedError(
                "password_in_url",
                "the database's address must not hold the password: others see it. Give it in the environment "
                "(PGPASSWORD), or in a file that PGPASSFILE names",
            )
        options = f"-c lock_timeout={WAIT_MILLISECONDS} -c idle_in_transaction_session_timeout={IDLE_MILLISECONDS}"
        made = create_engine(
            named,
            connect_args=SETTINGS | ({"options": options} if writes else {}),
            hide_parameters=True,
            isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
            pool_size=connections,
            pool_pre_ping=not writes,  # the server may have been restarted since
        )
    except ArgumentError as error:
        raise RefusedError("bad_url", "the database's address is no URL as postgresql://USER@HOST/DATABASE") from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise RefusedError("no_driver", "PostgreSQL needs its driver: pip install 'muster-nql[postgres]'") from error

    @event.listens_for(made, "connect")
    def _connect(connection: Any, _record: object) -> None:
        try:
            if writes:
                with connection.cursor() as cursor:
                    _durable(cursor)
                connection.rollback()
            connection.read_only = not writes
        except BaseException:
            connection.close()
            raise

    if writes:

        @event.listens_for(made, "begin")
        def _begin(connection: Connection) -> None:
            # The lock is a statement of its own, and each later one sees what was committed before it began: so the
            # transaction sees all that former holders of the lock wrote.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")

    return made


def _durable(cursor: Any) -> None:
    cursor.execute(
        "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('server_encoding')"
    )
    fsync, commit, encoding = cursor.fetchone()
    if fsync != "on":
        raise RefusedError(
            "unsafe_database", "PostgreSQL runs with fsync=off, so nothing it says is durable: turn it on"
        )
    if encoding != "UTF8":
        raise RefusedError("bad_encoding", f"the database has the encoding {encoding}: make one with ENCODING 'UTF8'")
    if commit == "off":
        cursor.execute("SET SESSION synchronous_commit = on")
        cursor.connection.commit()


def fit(connection: Connection) -> None:
    """Give columns the meaning that SQLite's have: integers of 64 bits, texts in the order of their characters. Make
    the table of the last commit of each writer."""
    if connection.dialect.name != DIALECT:
        return
    columns = "writer text PRIMARY KEY, token text NOT NULL, at timestamptz NOT NULL"
    connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS commits ({columns})")
    unfit = text(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name NOT IN ('alembic_version', 'commits')"
        " AND (data_type = 'integer' OR data_type = 'text' AND collation_name IS DISTINCT FROM 'C')"
        " ORDER BY table_name, ordinal_position"
    )
    changes: dict[str, list[str]] = {}
    for table, column, kind in connection.execute(unfit):
        meant = "bigint" if kind == "integer" else 'text COLLATE "C"'
        changes.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE {meant}')
    for table, parts in changes.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(parts)}')


def mark(connection: Connection, writer: str) -> str | None:
    """Have the transaction carry a mark of this writer by which it is known afterwards; None where a commit is never in
    doubt. (Its number would not do: after a crash the server gives the number of what was lost to another.)"""
    if connection.dialect.name != DIALECT:
        return None
    token = secrets.token_hex(16)
    connection.execute(_MARK, {"writer": writer, "token": token})
    return token


def committed(connection: Connection, writer: str, token: str) -> bool | None:
    """What became of a transaction whose commit was not answered; None where the server cannot be asked. Blocks up to
    10 s, until it can be: the lock that a transaction begins with is free when the one in question is over."""
    connection.invalidate()
    for _ in range(LOOKS):
        with suppress(DBAPIError), connection.engine.connect() as other:
            return bool(other.scalar(_MARKED, {"writer": writer}) == token)
        time.sleep(LOOK_SECONDS)
    return None


def leave(connection: Connection, writer: str) -> None:
    """The writer writes no more."""
    if connection.dialect.name == DIALECT and not connection.closed:
        with suppress(DBAPIError), connection.begin():
            connection.execute(text("DELETE FROM commits WHERE writer = :writer"), {"writer": writer})


def unavailable(error: DBAPIError) -> str | None:
    """The code of an error that is the server's state and not the statement's; None for others."""
    state = getattr(error.orig, "sqlstate", "") or ""
    if state.startswith("53100"):
        return "storage_full"
    if error.connection_invalidated or state.startswith(
        ("08", "25006", "25P03", "40", "53", "55P03", "57", "58", "XX")
    ):
        return "storage_unavailable"
    unanswered = not state and type(error.orig).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
    return "storage_unavailable" if unanswered else None


def unfit_text(error: DBAPIError) -> bool:
    """Whether a value is one that PostgreSQL cannot hold: a text with the character NUL."""
    state = getattr(error.orig, "sqlstate", "") or ""
    return state in ("22021", "22P05") or (not state and "NUL" in str(error.orig))
