"""Opening a folder: from what is on disk to the state that was acknowledged.

In: a folder that any crash may have left. Out: its manifest, the state after the last acknowledged batch, and the
journal ready to go on. Invariant: nothing is removed but what the manifest does not name, and a last frame that was
never acknowledged; damage raises and changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from storage.tables.errors import JournalCorrupt, ManifestCorrupt, SegmentCorrupt, WrongZone
from storage.tables.files import Files, discard, write_whole
from storage.tables.frames import Frame
from storage.tables.journal import FILE_HEAD, Journal, Torn, journal_numbers, journal_path, read_journal
from storage.tables.manifest import NAME, Manifest, empty, read_manifest, write_manifest
from storage.tables.schema import Schemas
from storage.tables.seal import LAKE, OBJECTS, ROLLUPS, SEGMENTS
from storage.tables.sealed import check, read_arrow
from storage.tables.state import State

log = logging.getLogger(__name__)
QUARANTINE = "quarantine"
_AT_ONCE = 64  # batches


@dataclass(frozen=True, slots=True)
class Recovered:
    """A store ready to go on."""

    manifest: Manifest
    state: State
    journal: Journal


def recover(files: Files, folder: Path, schemas: Schemas, zone: str | None, now: int) -> Recovered:
    """Open a folder, making it if it is empty. Raises OSError, Corrupt, FormatTooNew, WrongZone."""
    manifest = read_manifest(folder)
    if manifest is None:
        _check_new(folder)
        manifest = _make(files, folder, zone or "UTC", now)
    if zone is not None and zone != manifest.zone:
        raise WrongZone(f"{folder} was made with zone {manifest.zone}, not {zone}; this cannot be changed")
    state = load(folder, schemas, manifest)
    journal = replay(files, folder, state, manifest)
    _make_folders(files, folder)
    # The manifest may have been replaced and not synced; what only the former one needs is removed next.
    files.sync_folder(folder)
    _tidy(files, folder, manifest)
    return Recovered(manifest, state, journal)


def load(folder: Path, schemas: Schemas, manifest: Manifest) -> State:
    """The state as it was sealed. Raises SegmentCorrupt."""
    state = State(schemas)
    state.next_row = manifest.next_row
    for name, sealed in manifest.objects.items():
        table = state.objects.get(name)
        if table is None:
            log.warning("the catalog has no table %s any more; its objects stay on disk, unread", name)
            continue
        table.load(read_arrow(folder, sealed.file, sealed.sha256))
    if manifest.marks is not None:
        path = folder / manifest.marks.file
        check(folder, manifest.marks.file, manifest.marks.sha256)
        try:
            state.marks.load(path.read_bytes())
        except (msgspec.DecodeError, OSError) as error:
            raise SegmentCorrupt(path, f"cannot be read ({error})") from error
    return state


def replay(files: Files, folder: Path, state: State, manifest: Manifest) -> Journal:
    """Apply the journal to the sealed state; cut what was never acknowledged. Raises JournalCorrupt, OSError."""
    numbers = [number for number in journal_numbers(folder) if number >= manifest.journal]
    for number in numbers:
        end = _replay_file(files, folder, number, state, last=number == numbers[-1])
    if not numbers:
        return Journal(files, folder, manifest.journal)
    journal = Journal(files, folder, numbers[-1])
    if end:
        journal.resume(end)
    return journal


def _replay_file(files: Files, folder: Path, number: int, state: State, *, last: bool) -> int:
    """Apply one file; where its sound part ends, 0 if not even its head is there."""
    path, offset = journal_path(folder, number), len(FILE_HEAD)
    waiting: list[Frame] = []  # to be applied at once: a frame of few rows costs as much as one of many
    since = offset
    for end, item in read_journal(files, folder, number):
        if isinstance(item, Torn):
            if not last and item.offset:
                raise JournalCorrupt(path, item.offset, "the rest is damaged, a later journal follows")
            _set_aside(files, folder, number, item)
            offset = end
            break
        waiting.append(item)
        offset = end
        if sum(len(frame.batches) for frame in waiting) >= _AT_ONCE:
            _apply(state, waiting, path, since)
            waiting, since = [], offset
    _apply(state, waiting, path, since)
    return offset


def _apply(state: State, waiting: list[Frame], path: Path, since: int) -> None:
    try:
        state.apply(waiting)
    except (KeyError, ValueError) as error:
        raise JournalCorrupt(
            path, since, f"one of the frames does not follow what is stored ({error}); they begin"
        ) from error


def _set_aside(files: Files, folder: Path, number: int, torn: Torn) -> None:
    """Keep a copy of an unreadable last frame that looks complete, in case it was damaged after all and not cut."""
    log.log(
        logging.WARNING if torn.whole else logging.INFO,
        "journal %d: %d bytes after byte %d are no sound frame and are cut", number, torn.length, torn.offset,
    )  # fmt: skip
    if not torn.whole:
        return
    with journal_path(folder, number).open("rb") as file:
        file.seek(torn.offset)
        data = file.read()
    files.make_folder(folder / QUARANTINE)
    write_whole(files, folder / QUARANTINE / f"journal-{number:08}-{torn.offset}.bin", data)
    files.sync_folder(folder / QUARANTINE)


def _check_new(folder: Path) -> None:
    """A folder without a manifest holds nothing yet; if it does, the manifest was lost, and tidying would lose the
    rest."""
    left = [
        *folder.glob("journal-*.log"),
        *folder.glob(f"{SEGMENTS}/*"),
        *folder.glob(f"{OBJECTS}/*"),
        *folder.glob(f"{LAKE}/*"),
    ]
    if left:
        raise ManifestCorrupt(folder / NAME, f"missing, though {left[0].name} is there")


def _make(files: Files, folder: Path, zone: str, now: int) -> Manifest:
    manifest = empty(zone, now)
    _make_folders(files, folder)
    files.sync_folder(folder)
    write_manifest(files, folder, manifest)
    files.sync_folder(folder)
    return manifest


def _make_folders(files: Files, folder: Path) -> None:
    """Make the folders of sealed files; those of a folder of format 1 lack some."""
    for name in (SEGMENTS, OBJECTS, LAKE, ROLLUPS):
        files.make_folder(folder / name)


def _tidy(files: Files, folder: Path, manifest: Manifest) -> None:
    """Remove what a crash left: files that no manifest names, and journals that are sealed."""
    named = manifest.files()
    for pattern in (f"{SEGMENTS}/*", f"{OBJECTS}/*", f"{ROLLUPS}/*", f"{LAKE}/*/day=*/*"):
        for path in folder.glob(pattern):
            if path.relative_to(folder).as_posix() not in named:
                discard(files, path)
    for path in folder.glob(f"{LAKE}/*/_delta_log/.*.new"):
        discard(files, path)
    for number in journal_numbers(folder):
        if number < manifest.journal:
            discard(files, journal_path(folder, number))
    if (folder / f"{NAME}.new").exists():
        discard(files, folder / f"{NAME}.new")
