"""Looks whether a data folder holds what was written to it: digests of sealed files, frames of the journal, the
control database; and repairs what can be.

In: a folder. Out: one finding a file; a sentence for each repair. Invariant: looking changes nothing, so that it may
run beside a portal; then the file that the portal is writing may end in the middle of a frame, which is no damage.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from muster.clock import now
from muster.errors import UsageError
from muster.folder import opening
from nql.catalog.load import builtin
from portal.settings import Settings
from storage.tables.errors import SegmentCorrupt, StoreError
from storage.tables.files import Files
from storage.tables.journal import Torn, journal_numbers, journal_path, read_journal
from storage.tables.manifest import NAME, DayFile, Manifest, RollupFile, SealedFile, Segment, read_manifest
from storage.tables.repair import repair
from storage.tables.sealed import check

BACKUP = "Restore the folder from a backup."
AGAIN = 5  # a portal may put a new manifest in place while we look


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file. `problem` is None where it is sound; `told` says what it holds, `way` what can be
    done about the problem."""

    file: str
    told: str
    problem: str | None = None
    way: str = ""


def findings(data: Path) -> Iterator[Finding]:
    """Everything about a folder. Raises UsageError where there is none."""
    settings = Settings(data)
    if not settings.control.is_file() and not settings.tables.is_dir():
        raise UsageError(
            f"There is no data folder at {data}.", "Give the folder of `muster serve --data DIR`.", "no_folder"
        )
    if settings.control.is_file():
        yield _control(settings.control)
    if settings.tables.is_dir():
        yield from _tables(settings.tables)


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
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            said = [row[0] for row in database.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        said = [str(error)]
    return Finding(str(path), "control database", *(() if said == ["ok"] else ("; ".join(said), BACKUP)))


def _tables(folder: Path) -> Iterator[Finding]:
    found: list[Finding] = []
    for _ in range(AGAIN):
        try:
            manifest = read_manifest(folder)
        except (StoreError, OSError) as error:
            yield Finding(str(folder / NAME), "manifest", str(error), BACKUP)
            return
        if manifest is None:
            return
        found = list(_sealed(folder, manifest))
        if not any(finding.problem for finding in found) or _number(folder) == manifest.number:
            break
    yield from found
    yield from (_journal(folder, number) for number in journal_numbers(folder))


def _number(folder: Path) -> int | None:
    try:
        manifest = read_manifest(folder)
    except (StoreError, OSError):
        return None
    return None if manifest is None else manifest.number


def _sealed(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    for item, holds in manifest.sealed_files():
        problem = None
        try:
            check(folder, item.file, item.sha256)
        except SegmentCorrupt as error:
            problem = error.detail
        yield Finding(str(folder / item.file), holds, problem, _way(item) if problem else "")


def _way(item: SealedFile) -> str:
    match item:
        case RollupFile():
            return "Nothing is lost, its rows answer. `muster doctor --repair` makes it again."
        case Segment() | DayFile():
            return f"Restore this file from a backup, or do without it: --repair --give-up {item.file}"
        case _:
            return "Restore the folder from a backup."


def _journal(folder: Path, number: int) -> Finding:
    path, frames, problem = journal_path(folder, number), 0, None
    try:
        for _, item in read_journal(Files(), folder, number):
            frames += not isinstance(item, Torn)
    except FileNotFoundError:
        return Finding(str(path), "sealed meanwhile")
    except (StoreError, OSError) as error:
        problem = str(error)
    return Finding(str(path), f"{frames:,} frames", problem, BACKUP if problem else "")
