"""Looks whether a data folder holds what was written to it: digests of sealed files, frames of the journal, the
control database.

In: a folder. Out: one finding a file. Invariant: nothing is changed, so that it may run beside a portal; then the
file that the portal is writing may end in the middle of a frame, which is no damage.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from muster.errors import UsageError
from portal.settings import Settings
from storage.tables.errors import StoreError
from storage.tables.files import Files
from storage.tables.journal import Torn, journal_numbers, journal_path, read_journal
from storage.tables.manifest import NAME, Manifest, read_manifest
from storage.tables.sealed import check

AGAIN = 5  # a portal may put a new manifest in place while we look


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file. `problem` is None where it is sound; `told` says how much it holds."""

    file: str
    told: str
    problem: str | None = None


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


def _control(path: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            said = [row[0] for row in database.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        said = [str(error)]
    return Finding(str(path), "control database", None if said == ["ok"] else "; ".join(said))


def _tables(folder: Path) -> Iterator[Finding]:
    found: list[Finding] = []
    for _ in range(AGAIN):
        try:
            manifest = read_manifest(folder)
        except (StoreError, OSError) as error:
            yield Finding(str(folder / NAME), "manifest", str(error))
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
    for item, _ in manifest.sealed_files():
        problem = None
        try:
            check(folder, item.file, item.sha256)
        except StoreError as error:
            problem = str(error)
        yield Finding(str(folder / item.file), f"{item.rows:,} rows, {item.bytes:,} bytes", problem)


def _journal(folder: Path, number: int) -> Finding:
    path, frames, problem = journal_path(folder, number), 0, None
    try:
        for _, item in read_journal(Files(), folder, number):
            frames += not isinstance(item, Torn)
    except FileNotFoundError:
        return Finding(str(path), "sealed meanwhile")
    except (StoreError, OSError) as error:
        problem = str(error)
    return Finding(str(path), f"{frames:,} frames", problem)
