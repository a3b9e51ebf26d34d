"""The lake of a data folder: is its address one, and how a folder does without it again.

In: an address, a folder. Out: nothing, or how many objects left the lake. Invariant: a folder leaves its lake only when
all that lay there is back and whole.
"""

from __future__ import annotations

from pathlib import Path

from muster.clock import now
from muster.errors import UsageError
from muster.folder import opening
from nql.catalog.load import builtin
from portal.settings import Settings
from storage.tables.bucket import root_of
from storage.tables.lake import lake_of
from storage.tables.lake_care import leave as leave_lake
from storage.tables.store import Store


def check_lake(url: str | None) -> None:
    """Raises UsageError for an address that is none."""
    try:
        if url is not None:
            root_of(url)
    except ValueError as error:
        raise UsageError(f"{error}.", "For example --lake s3://muster/estate.") from error


def leave(data: Path) -> tuple[str, int]:
    """Bring all back, then forget and empty the lake: its address, and how many objects left it. Raises UsageError,
    FolderHeldError, MusterError."""
    tables = Settings(data).tables
    if not tables.is_dir():
        raise UsageError(f"There is no data folder at {data}.", "", "no_folder")
    with opening(data):
        store = Store(tables, builtin(), zone=None, clock=now)
        try:
            lake = lake_of(tables)
            if lake is None:
                raise UsageError(f"{data} has no lake.", "`muster serve --lake URL` gives it one.", "no_lake")
            return lake.place.url, leave_lake(store.files, lake, store.manifest)
        finally:
            store.abandon()
