"""A PostgreSQL server of the tests' own: made, started, stopped and killed by them, reached by a socket in its folder.

Comes in: the programs of PostgreSQL, wherever Debian or PATH has them. Goes out: addresses of databases that are empty
or at the newest schema; the password stands in PGPASSWORD. Invariant: a commit is durable as in real life; where there
are no such programs its tests are skipped, but where CI=true they fail.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import make_url

from storage.control.database import Database

PASSWORD = "a password of the tests"
SETTINGS = ("listen_addresses=", "max_connections=300", "shared_buffers=32MB", "max_wal_size=256MB")


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, None where there is none."""
    found = shutil.which("pg_ctl")
    return Path(found).resolve().parent if found else max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


CLEAR = """SET session_replication_role = replica; DO $$ DECLARE name text; BEGIN
FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
EXECUTE 'DELETE FROM ' || quote_ident(name); END LOOP;
FOR name IN SELECT sequencename FROM pg_sequences LOOP EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART'; END LOOP;
END $$"""


class Server:
    """One server. `start` and `stop` may be called again and again."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        if found is None:
            if os.environ.get("CI") == "true":
                pytest.fail("PostgreSQL is not installed, and CI must not leave its tests out")
            pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
        self._programs, self.folder = found, folder
        self._numbers = count()
        self._cleared = ""
        # It refuses to run as root, and then somebody else owns its files.
        self._owner = pwd.getpwnam("postgres" if _known("postgres") else "nobody") if os.geteuid() == 0 else None
        if self._owner is not None:
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if self._owner is not None:
            os.chown(secret, self._owner.pw_uid, self._owner.pw_gid)
        kinds = (
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--username=muster",
        )
        self._run("initdb", *kinds, "--pgdata", str(folder / "data"))
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write("".join(f"{name} = '{value}'\n" for name, _, value in (one.partition("=") for one in SETTINGS)))
            file.write(f"unix_socket_directories = '{folder}'\n")
        self.start()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        self._control("start", "-w", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends connections, `immediate` is as a crash."""
        self._control("stop", "-w", "-m", mode)

    def close(self) -> None:
        """Stop it if it runs."""
        subprocess.run([*self._command("pg_ctl"), "stop", "-m", "immediate", "-D", str(self.folder / "data")],
                       capture_output=True, check=False, **self._as())  # fmt: skip

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://muster@/{database}?host={self.folder}"

    def empty(self) -> str:
        """The address of a new database without tables."""
        name = f"made{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def cleared(self) -> str:
        """The address of the one database at the newest schema, without rows; whoever had it before is done with it.
        A new one for each test would take longer than most tests."""
        if not self._cleared:
            self._cleared = self.empty()
            with patch.dict(os.environ, environment()):
                Database(self._cleared).close()
        self.sql(make_url(self._cleared).database or "", CLEAR)
        return self._cleared

    def sql(self, database: str, statement: str) -> str:
        """Run a statement beside everybody; its rows as text."""
        command = [
            *self._command("psql"),
            "-h",
            str(self.folder),
            "-U",
            "muster",
            "-d",
            database,
            "-qAt",
            "-c",
            statement,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", *arguments, "-D", str(self.folder / "data"))

    def _command(self, name: str) -> list[str]:
        return [str(self._programs / name)]

    def _run(self, name: str, *arguments: str) -> None:
        with (self.folder / "said").open("w+b") as said:  # the server keeps its outputs open
            code = subprocess.call([*self._command(name), *arguments], stdout=said, stderr=said, **self._as())
            said.seek(0)
            assert code == 0, said.read().decode()

    def _as(self) -> Any:
        who = self._owner
        return {"cwd": str(self.folder)} | ({} if who is None else {"user": who.pw_uid, "group": who.pw_gid})


def _known(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def environment() -> dict[str, str]:
    """What a process needs to reach the server."""
    return {"PGPASSWORD": PASSWORD}


@contextmanager
def serving() -> Iterator[Server]:
    """A server for as long as this lasts."""
    memory = Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", ""))
    with TemporaryDirectory(prefix="pg-", dir=memory if memory.is_dir() and memory.name else None) as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.close()
