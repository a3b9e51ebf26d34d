"""Looks whether a data folder holds what was written to it: the tables, as `storage.tables.doctor` sees them, and the
control database; and repairs what can be.

In: a folder. Out: one finding a file; a sentence for each repair. Invariant: looking changes nothing, so that it may
run beside a portal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from muster.clock import now
from muster.errors import UsageError
from muster.folder import opening
from nql.catalog.load import builtin
from portal.settings import Settings
from storage.tables import doctor
from storage.tables.findings import BACKUP, Finding
from storage.tables.repair import repair


def findings(data: Path, *, deep: bool = False) -> Iterator[Finding]:
    """Everything about a folder; `deep` reads all of its lake. Raises UsageError where there is none."""
    settings = Settings(data)
    if not settings.control.is_file() and not settings.tables.is_dir():
        raise UsageError(
            f"There is no data folder at {data}.", "Give the folder of `muster serve --data DIR`.", "no_folder"
        )
    if settings.control.is_file():
        yield _control(settings.control)
    if settings.tables.is_dir():
        yield from doctor.findings(settings.tables, deep=deep)


def repaired(data: Path, give_up: Sequence[str]) -> list[str]:
    """Repair what can be; what was done. Raises FolderHeldError, UsageError, MusterError."""
    settings = Settings(data)
    if not settings.tables.is_dir():
        raise UsageError(f"There is no data folder at {data}.", "", "no_folder")
    with opening(data):
        try:
            return list(repair(settings.tables, builtin(), now, give_up))
        except ValueError as error:
            raise UsageError(f"{error}.", "`muster doctor` names the damaged files.", "not_damaged") from error


def _control(path: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            said = [row[0] for row in database.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        said = [str(error)]
    return Finding(str(path), "control database", *(() if said == ["ok"] else ("; ".join(said), BACKUP)))
