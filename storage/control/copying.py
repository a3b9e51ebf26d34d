"""A copy of the control database at one instant, taken beside the processes that write to it.

In: the file of a database. Out: another file. Invariant: the copy is a whole database of one instant (SQLite's own
backup), whatever is written meanwhile; it does not migrate and changes nothing of the original.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from storage.control.errors import UnavailableError


def copy(path: Path, to: Path) -> None:
    """Copy a control database into a new file that its owner alone may read. Raises UnavailableError, OSError."""
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
            said = [row[0] for row in target.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        raise UnavailableError("storage_unavailable", f"the control database cannot be copied: {error}") from error
    if said != ["ok"]:
        raise UnavailableError("damaged", f"the control database is damaged: {'; '.join(said)}")
