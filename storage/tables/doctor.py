"""Looking a data folder over without changing it: does every file hold what was written to it?

In: a folder, also one that a store has open. Out: a finding for each file that the store names, each journal, what was
set aside: what it holds, what is wrong with it, and the way out. Invariant: it only reads, and never raises for what it
finds; what a store replaces or writes meanwhile is no damage. `storage.tables.repair` repairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from storage.tables.delta import published, tells
from storage.tables.errors import Corrupt, FormatTooNew, JournalCorrupt, SegmentCorrupt, StoreError
from storage.tables.files import Files
from storage.tables.findings import BACKUP, Finding
from storage.tables.journal import Torn, journal_numbers, journal_path, read_journal
from storage.tables.lake_care import elsewhere, lake_findings
from storage.tables.manifest import NAME, DayFile, Manifest, RollupFile, SealedFile, Segment, read_manifest
from storage.tables.recover import QUARANTINE
from storage.tables.seal import LAKE
from storage.tables.sealed import check

AGAIN = 5  # looks: a store may put a new manifest in place while we do


def findings(folder: Path, *, deep: bool = False) -> Iterator[Finding]:
    """Everything about a folder and its lake, of which `deep` reads every byte; nothing where there is no store
    yet."""
    found: list[Finding] = []
    first = 0
    for _ in range(AGAIN):
        try:
            manifest = read_manifest(folder)
        except (Corrupt, FormatTooNew, OSError) as error:
            yield Finding(str(folder / NAME), "what is valid", str(error), BACKUP)
            return
        if manifest is None:
            return
        first = manifest.journal
        found = [*_sealed(folder, manifest), *_logs(folder, manifest), *lake_findings(folder, manifest, deep=deep)]
        if not any(finding.problem for finding in found) or _number(folder) == manifest.number:
            break
    yield from found
    yield from (_journal(folder, number) for number in journal_numbers(folder) if number >= first)
    for path in sorted((folder / QUARANTINE).glob("*")):
        yield Finding(str(path), "set aside, as it could not be read; keep it until its rows are known to be elsewhere")


def _number(folder: Path) -> int | None:
    try:
        manifest = read_manifest(folder)
    except (StoreError, OSError):
        return None
    return None if manifest is None else manifest.number


def _sealed(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    away = elsewhere(folder, manifest)
    for item, holds in manifest.sealed_files():
        if item.file in away:
            continue
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
            return BACKUP


def _logs(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Delta logs, which only other engines read."""
    for table, number in manifest.lake.items():
        place, problem, told = folder / LAKE / table, None, f"the Delta log of {table}"
        try:
            if published(folder, table) < number:
                told += ", which is behind and follows when the store opens"
            elif not tells(folder, table, [item for item in manifest.days if item.table == table]):
                problem = "it does not say of the files of the table what the manifest does"
        except SegmentCorrupt as damage:
            place, problem = damage.path, damage.detail
        yield Finding(
            str(place), told, problem, "Nothing is lost. `muster doctor --repair` makes it again." if problem else ""
        )


def _journal(folder: Path, number: int) -> Finding:
    path, frames, more, problem, way = journal_path(folder, number), 0, "", None, ""
    try:
        for _, item in read_journal(Files(), folder, number):
            frames += not isinstance(item, Torn)
            if isinstance(item, Torn) and item.length:
                more = f"; {item.length:,} bytes at its end were not acknowledged"
    except FileNotFoundError:
        return Finding(str(path), "sealed meanwhile")
    except JournalCorrupt as damage:
        problem = damage.detail
        way = f"Restore it from a backup, or do without what follows: --repair --give-up {path.name}"
    except (StoreError, OSError) as error:
        problem, way = str(error), BACKUP
    return Finding(str(path), f"{frames:,} frames{more}", problem, way)
