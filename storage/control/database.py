"""The connection to the control database: many readers, one writer, writes grouped into one commit.

In: functions of a connection. Out: what they return. Invariants: a write is durable when `write` returns (SQLite with
`synchronous=FULL`, or PostgreSQL as `postgres` has it); each write sees and makes a consistent whole, or nothing; a
write that fails takes no other with it; a reader sees one instant. Within `one_instant` and `together`, calls of the
same thread share one such instant, or one transaction. What is written, and by whom, is the matter of the modules that
own the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from secrets import token_hex
from threading import Lock, local
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, Transaction, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from storage.control import postgres
from storage.control.errors import ControlError, RefusedError, UnavailableError
from storage.control.prepared import say

T = TypeVar("T")
BUSY_MILLISECONDS = 10_000
BRIEFLY = 50  # milliseconds for what is tried again anyway, while others wait
CONNECTIONS = 32
GROUP = 256  # writes in one commit, at most
CLEAN = 1  # `user_version` of a database in whose free pages nothing is left
REMEMBERED = "remembered"  # in a writing connection's `info`: a dict that lasts as long as what is in it is so
UNAVAILABLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY")


class Database:
    """One control database, opened and migrated to the newest schema."""

    def __init__(self, url: str) -> None:
        self._engine, self._readers = _engines(url)
        self._waiting: list[_Job[Any]] = []
        self._queue = Lock()
        self._turn = Lock()
        self._here = _Here()
        self._name = token_hex(16)  # of this writer, among those of other processes
        try:
            _migrate(self._engine)
            self._writer = self._engine.connect()
        except BaseException as error:
            self._engine.dispose()
            raise (_said(error) if isinstance(error, DBAPIError) else None) or error from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one instant and cannot write."""
        shared = self._here.writer or self._here.reader
        try:
            if shared is not None:
                yield shared
            else:
                with self._readers.connect() as connection:
                    yield connection
        except DBAPIError as error:
            raise _said(error) or error from error

    @contextmanager
    def one_instant(self) -> Iterator[None]:
        """Have all that this thread reads meanwhile see one instant, and begin but one transaction for it. What it
        writes is seen only afterwards."""
        with self.read() as connection:
            before, self._here.reader = self._here.reader, connection
            try:
                yield
            finally:
                self._here.reader = before

    def together(self, work: Callable[[], T]) -> T:
        """Have all that `work` writes be one transaction, whose parts fail each alone; durable when this returns.
        Raises what `work` raises, and then nothing is written."""

        def whole(connection: Connection) -> T:
            # The thread that has the turn may not be the one that asked, and may be in the middle of reading.
            before, self._here.writer = self._here.writer, connection
            try:
                return work()
            finally:
                self._here.writer = before

        return self.write(whole)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of its own meaning and return once it is durable. Raises what `work` raises, or
        UnavailableError.

        Threads that write at once share one commit: whoever gets the turn does the work of all that wait.
        """
        job = _Job(work)
        if self._here.writer is not None:
            job.run(self._here.writer)
            return job.result()
        with self._queue:
            self._waiting.append(job)
        before, self._here.reader = self._here.reader, None  # what others have waiting is not ours to read for
        try:
            with self._turn:
                if not job.done:
                    self._do_waiting()
        finally:
            self._here.reader = before
        return job.result()

    def note(self, work: Callable[[Connection], object]) -> None:
        """As `write`, for what may be left out (when something was last used): does nothing while the database cannot
        be written."""
        with suppress(UnavailableError):
            self.write(work)

    def clean(self) -> bool:
        """Leave no byte of what was deleted in SQLite's files; False while somebody still reads what was, and then it
        is to be tried again. The files of a server are its own matter. The first time takes 10 s a gigabyte, in which
        nobody writes."""
        if self._engine.dialect.name != "sqlite":
            return True
        with self._turn:
            cursor = self._writer.connection.cursor()
            if cursor.execute("PRAGMA user_version").fetchone()[0] < CLEAN:
                cursor.execute("VACUUM")  # it may be older than `secure_delete`
                cursor.execute(f"PRAGMA user_version={CLEAN}")
            cursor.execute(f"PRAGMA busy_timeout={BRIEFLY}")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
            cursor.close()
        return not busy

    def close(self) -> None:
        """Let go of every connection. Writes that are under way end first."""
        with self._turn:
            postgres.leave(self._writer, self._name)
            self._writer.close()
            self._engine.dispose()
            self._readers.dispose()

    def _do_waiting(self) -> None:
        with (
            self._queue
        ):  # our own job is among the first: everything queued before it has the same turn or had an earlier one
            jobs, self._waiting = self._waiting, []
        for start in range(0, len(jobs), GROUP):
            _do(self._writer, self._name, jobs[start : start + GROUP])


class _Here(local):
    """What the calls of one thread share, if anything."""

    reader: Connection | None = None
    writer: Connection | None = None


class _Job(Generic[T]):
    """A write that waits for its turn, then its outcome."""

    __slots__ = ("_context", "_error", "_value", "_work", "done")

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work
        self._context = copy_context()  # of who asked: another thread may do the work
        self._value: T | None = None
        self._error: BaseException | None = None
        self.done = False

    def run(self, connection: Connection) -> None:
        """Do the work inside a savepoint, so that its failure leaves the group alone. Raises UnavailableError."""
        # Straight to the driver: a savepoint of SQLAlchemy costs more than most of what is done within it.
        say(connection, "SAVEPOINT job")
        try:
            self._value = self._context.run(self._work, connection)
            say(connection, "RELEASE SAVEPOINT job")
        except Exception as error:
            said = (_said(error) if isinstance(error, DBAPIError) else None) or error
            if isinstance(said, UnavailableError):
                raise said from error  # the database has given up the whole transaction, savepoints and all
            say(connection, "ROLLBACK TO SAVEPOINT job")
            say(connection, "RELEASE SAVEPOINT job")
            connection.info[REMEMBERED] = {}
            self._error = said

    def fail(self, error: BaseException) -> None:
        """The commit did not happen."""
        self._error = self._error or error

    def result(self) -> T:
        """What the work returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set, as there was no error


def _do(writer: Connection, name: str, jobs: list[_Job[Any]]) -> None:
    mark, committing = None, False
    try:
        with _begun(writer):
            writer.info[REMEMBERED] = {}
            mark = postgres.mark(writer, name)
            for job in jobs:
                job.run(writer)
            committing = True
    except BaseException as error:
        said = (_said(error) if isinstance(error, DBAPIError) else None) or error
        unsure = committing and mark and isinstance(said, UnavailableError)  # the answer to the commit was lost
        if not (unsure and mark and postgres.committed(writer, name, mark)):
            for job in jobs:
                job.fail(said)
    finally:
        for job in jobs:
            job.done = True


def _begun(writer: Connection) -> Transaction:
    try:
        return writer.begin()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return writer.begin()  # the server was restarted since the last write: there is a new connection


def _engines(url: str) -> tuple[Engine, Engine]:
    """What writes, and what reads."""
    if postgres.is_postgres(url):
        writer = postgres.engine(url, writes=True, connections=2)
        return writer, postgres.engine(url, writes=False, connections=CONNECTIONS)
    return _engine(url, "BEGIN IMMEDIATE"), _engine(url, "BEGIN")


def _engine(url: str, begin: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # errors go to logs, and parameters may be anything
        pool_size=CONNECTIONS,  # those beyond it are opened and closed with every use
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what was deleted is overwritten: see `clean`
            f"busy_timeout={BUSY_MILLISECONDS}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if begin == "BEGIN":
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if begin == "BEGIN":  # which cannot fail, and is most of what a small read costs if it goes through all
            connection.connection.cursor().execute(begin)
        else:
            connection.exec_driver_sql(begin)

    return engine


def _migrate(engine: Engine) -> None:
    """Bring the schema to its newest. Raises RefusedError if it is newer than that."""
    scripts = Path(__file__).parent / "migrations"
    with engine.begin() as connection:
        if _version(connection) == newest(scripts):
            return
    # Alembic takes longer to load than all that stands in most databases; they are of the newest schema.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(scripts))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            postgres.fit(connection)
    except CommandError as error:
        raise RefusedError(
            "newer_database", f"the control database was made by a newer version of this program ({error})"
        ) from error


def newest(scripts: Path) -> str:
    """The revision of the newest migration, which its file's name begins with."""
    return max(path.name for path in (scripts / "versions").glob("[0-9]*.py")).split("_")[0]


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _said(error: DBAPIError) -> ControlError | None:
    """An error of the driver as ours, where it is one of the database's state or of a value; None for others."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is None:
        code = postgres.unavailable(error)
        if code is None and postgres.unfit_text(error):
            return RefusedError("bad_text", "a text has the character NUL, which the control database cannot hold")
    else:
        full = "storage_full" if name == "SQLITE_FULL" else "storage_unavailable"
        code = full if name.startswith(UNAVAILABLE) else None
    if code is None:
        return None
    return UnavailableError(code, f"the control database cannot be used now: {error.orig}")
