"""Looking a data folder over without changing it: does every file hold what was written to it?

In: a folder, whose store should be stopped. Out: findings, each naming a file, what is wrong with it, what is lost by
it and what to do. Invariant: it only reads, and it never raises for what it finds; `set_aside` alone changes
anything, and only when asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.tables.delta import listed, published
from storage.tables.errors import Corrupt, FormatTooNew, JournalCorrupt, SegmentCorrupt, StoreError
from storage.tables.files import Files, write_whole
from storage.tables.journal import Torn, journal_numbers, journal_path, read_journal
from storage.tables.lock import FolderLock
from storage.tables.manifest import Manifest, RollupFile, read_manifest
from storage.tables.recover import QUARANTINE
from storage.tables.seal import LAKE
from storage.tables.sealed import check


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know. `serious` tells that rows are lost or the store will not open."""

    path: Path
    serious: bool
    text: str
    advice: str = ""


def verify(folder: Path) -> tuple[Finding, ...]:
    """What is wrong with a folder; nothing if all is well."""
    return tuple(_findings(folder))


def set_aside(folder: Path, now: int) -> Path | None:
    """Make a store with a damaged journal open again: the journal moves to `quarantine` and its sound beginning takes
    its place.

    Returns where the whole file went, None if no journal is damaged. Batches after the damage are then no longer in
    the store. Raises LockHeld, OSError.
    """
    lock, files = FolderLock(folder, now), Files()
    try:
        for number in journal_numbers(folder):
            path = journal_path(folder, number)
            try:
                for _ in read_journal(files, folder, number):
                    pass
            except JournalCorrupt as damage:
                return _keep_beginning(files, folder, path, damage.offset)
        return None
    finally:
        lock.release()


def _findings(folder: Path) -> Iterator[Finding]:
    try:
        manifest = read_manifest(folder)
    except (Corrupt, FormatTooNew, OSError) as error:
        yield Finding(folder / "manifest.json", True, str(error), "Restore the folder from a backup.")
        return
    if manifest is None:
        yield Finding(folder, False, "there is no data in this folder")
        return
    yield from _sealed(folder, manifest)
    yield from _logs(folder, manifest)
    yield from _journals(folder, manifest)
    for path in sorted((folder / QUARANTINE).glob("*")):
        yield Finding(
            path,
            False,
            "was set aside because it could not be read",
            "Keep it until its rows are known to be elsewhere.",
        )


def _sealed(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    for item, what in manifest.sealed_files():
        try:
            check(folder, item.file, item.sha256)
        except SegmentCorrupt as damage:
            lost = not isinstance(item, RollupFile)
            yield Finding(
                damage.path, lost, f"{damage.detail}; it holds {what}",
                "Restore this file from a backup." if lost else "Nothing is lost: its rows answer instead.",
            )  # fmt: skip


def _logs(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Delta logs that other engines would read wrong."""
    for table, number in manifest.lake.items():
        place, days = folder / LAKE / table, {item.file for item in manifest.days if item.table == table}
        try:
            behind, differs = published(folder, table) < number, listed(folder, table) != days
        except SegmentCorrupt as damage:
            yield Finding(
                damage.path, False, f"{damage.detail}; other engines cannot read {table}",
                "Remove the folder it lies in: it is made again when the store opens.",
            )  # fmt: skip
            continue
        if behind:
            yield Finding(place, False, "its Delta log is behind", "It is brought up when the store opens.")
        elif differs:
            yield Finding(
                place, False, f"its Delta log does not name the files of {table}",
                "Remove the folder _delta_log in it: it is made again when the store opens.",
            )  # fmt: skip


def _journals(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    for number in journal_numbers(folder):
        if number < manifest.journal:
            continue
        path = journal_path(folder, number)
        try:
            for _, item in read_journal(Files(), folder, number):
                if isinstance(item, Torn) and item.length:
                    yield Finding(
                        path, False, f"{item.length} bytes at its end were never acknowledged; they will be cut"
                    )
        except JournalCorrupt as damage:
            yield Finding(
                path, True, damage.detail, "Restore it from a backup, or set it aside and lose the batches after."
            )
        except (StoreError, OSError) as error:
            yield Finding(path, True, str(error), "Restore it from a backup.")


def _keep_beginning(files: Files, folder: Path, path: Path, offset: int) -> Path:
    """Copy a journal to quarantine, durably, then cut it where the damage begins."""
    kept = folder / QUARANTINE / path.name
    files.make_folder(kept.parent)
    handle = files.open(path)
    try:
        whole = files.read(handle, files.size(handle), 0)
        write_whole(files, kept, whole)
        files.sync_folder(kept.parent)
        files.sync_folder(folder)
        files.truncate(handle, offset)
        files.sync(handle)
    finally:
        files.close(handle)
    return kept
