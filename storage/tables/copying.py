"""A copy of what a folder holds at one instant, taken beside the process that writes to it.

In: a folder, and an empty one on the same file system if possible. Out: there, the manifest, the sealed files it names
and the journals after it, up to the last frame that is whole. Invariant: what is copied was all valid at one instant,
whatever is sealed or compacted meanwhile: sealed files never change and get second names, and if the manifest was
replaced before all had one, everything begins anew. What lies in a lake only is brought into the copy, which has no
lake. The copy opens as a store, as after a crash.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from storage.tables.errors import SegmentCorrupt, StorageFailed
from storage.tables.files import Files
from storage.tables.journal import Torn, journal_numbers, journal_path, read_journal
from storage.tables.lake import Lake, lake_files, lake_of
from storage.tables.manifest import NAME, Manifest, read_manifest
from storage.tables.marks import Marks
from storage.tables.recover import QUARANTINE

TRIES = 100  # manifests are replaced every minute or so, and by each day that is compacted
_PIECE = 1 << 20


def hold(folder: Path, to: Path, files: Files | None = None) -> Manifest | None:
    """Copy what is valid into a new folder; None, and nothing is made, where there is no store yet. Raises OSError,
    Corrupt, FormatTooNew, LakeAway, StorageFailed if the manifest changes all the time."""
    for _ in range(TRIES):
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        to.mkdir(parents=True, mode=0o700)
        try:
            _copy(files or Files(), folder, to, manifest)
            now = read_manifest(folder)
            if now is not None and now.number == manifest.number:
                return manifest
        except FileNotFoundError:
            # Gone because it was replaced, or lost: then the manifest is still the same one.
            now = read_manifest(folder)
            if now is not None and now.number == manifest.number:
                raise
        shutil.rmtree(to)
    raise StorageFailed("the manifest was replaced each time before its files were held; try again later")


def digests(manifest: Manifest) -> Mapping[str, str]:
    """The SHA-256 of each file that a manifest names."""
    return {item.file: item.sha256 for item, _ in manifest.sealed_files()}


def marked(marks: Marks, source: str, epoch: str) -> int:
    """The greatest sequence that is stored of a source's epoch, 0 if none is."""
    known = marks.ranges().get(source)
    return max((last for _, last in known.epochs.get(epoch, [])), default=0) if known else 0


def _copy(files: Files, folder: Path, to: Path, manifest: Manifest) -> None:
    stored = lake_files(manifest)
    for name in _names(folder, manifest):
        try:
            _second_name(files, folder / name, to / name)
        except FileNotFoundError:
            lake = lake_of(folder) if name in stored else None
            if lake is None:
                raise
            _from_lake(lake, name, stored[name].sha256, to / name)
    for number in journal_numbers(folder):
        if number >= manifest.journal:
            _whole_frames(files, folder, to, number)
    _copied(files, folder / NAME, to / NAME)


def _names(folder: Path, manifest: Manifest) -> Iterator[str]:
    yield from sorted(manifest.files())
    for path in sorted((folder / QUARANTINE).glob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _from_lake(lake: Lake, name: str, digest: str, to: Path) -> None:
    """Raises FileNotFoundError if the lake does not have it, as if it were lost here; LakeAway."""
    try:
        lake.fetch(name, digest, to)
    except SegmentCorrupt as error:
        raise FileNotFoundError(errno.ENOENT, error.detail, name) from error


def _second_name(files: Files, path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        files.link(path, to)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        _copied(files, path, to)


def _copied(files: Files, path: Path, to: Path) -> None:
    """Copy a file as long as it is now."""
    with path.open("rb", buffering=0) as source:
        handle, at, left = files.create(to), 0, os.fstat(source.fileno()).st_size
        try:
            while left and (piece := source.read(min(left, _PIECE))):
                files.write(handle, piece, at)
                at, left = at + len(piece), left - len(piece)
        finally:
            files.close(handle)


def _whole_frames(files: Files, folder: Path, to: Path, number: int) -> None:
    """Copy a journal as long as it is now, then cut what is no whole frame: it is being written."""
    _copied(files, journal_path(folder, number), journal_path(to, number))
    for end, item in read_journal(files, to, number):
        if isinstance(item, Torn) and not item.whole:  # else it may be damage, which the next opening sets aside
            handle = files.open(journal_path(to, number))
            try:
                files.truncate(handle, end)
            finally:
                files.close(handle)
