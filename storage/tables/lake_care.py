"""Looking over what lies in the lake, bringing it back, and leaving it.

In: a folder and its lake. Out: findings; all files here again. Invariants: a look changes nothing; a folder leaves its
lake only when every file that the manifest names is here and whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from storage.tables.errors import LakeAway, SegmentCorrupt, WrongLake
from storage.tables.files import Files
from storage.tables.findings import BACKUP, Finding
from storage.tables.lake import MARK, OURS, PLACE, Lake, lake_files, lake_of
from storage.tables.manifest import DayFile, Manifest, RollupFile, SealedFile
from storage.tables.sealed import check

AGAIN = "Nothing is lost here. See that the object store answers, and its credentials are in the environment."


def elsewhere(folder: Path, manifest: Manifest) -> set[str]:
    """The files that lie in the folder's lake only."""
    if not (folder / PLACE).exists():
        return set()
    return {name for name in lake_files(manifest) if not (folder / name).exists()}


def lake_findings(folder: Path, manifest: Manifest, *, deep: bool = False) -> Iterator[Finding]:
    """What lies in the lake: whether each file that is only there is there with its size; `deep` reads all of them."""
    place = str(folder / PLACE)
    try:
        lake = lake_of(folder)
        if lake is None:
            return
        place = lake.place.url
        lake.forgive()
        lake.claim()
        there = lake.listing()
    except (LakeAway, WrongLake, SegmentCorrupt, ValueError) as error:
        said = error.detail if isinstance(error, LakeAway | SegmentCorrupt) else str(error)
        yield Finding(place, "closed days, which were not looked at", said, AGAIN)
        return
    waiting, told = 0, {item.file: holds for item, holds in manifest.sealed_files()}
    for name, item in lake_files(manifest).items():
        holds, is_here = told[name], (folder / name).exists()
        if there.get(name) == item.bytes:
            problem = lake.verify(name, item.sha256) if deep else ""
        elif is_here:
            waiting += 1
            continue
        else:
            problem = f"it is neither here nor, whole, in {lake.place.url}"
        if problem or not is_here:
            yield Finding(
                f"{lake.place.url}/{name}", holds, problem or None, _way(name, item, is_here) if problem else ""
            )
    more = f"; {waiting} files are still to go there" if waiting else ""
    yield Finding(lake.place.url, f"{len(there):,} objects of closed days{more}")


def _way(name: str, item: SealedFile, is_here: bool) -> str:
    if is_here:
        return "Nothing is lost, the file lies here, too: remove the object, and it goes there anew."
    if isinstance(item, RollupFile):
        return "Nothing is lost, its rows answer. `muster doctor --repair` makes it again."
    if isinstance(item, DayFile):
        return f"Restore the object from a backup, or do without it: --repair --give-up {name}"
    return BACKUP


def lost(folder: Path, manifest: Manifest) -> set[str]:
    """The files that are neither here nor, whole, in the lake. Raises LakeAway."""
    lake, named = lake_of(folder), lake_files(manifest)
    gone = elsewhere(folder, manifest)
    there = lake.listing() if lake and gone else {}
    return {name for name in gone if there.get(name) != named[name].bytes}


def bring_back(lake: Lake, manifest: Manifest) -> Iterator[str]:
    """Bring every file here that lies in the lake only; their names. Raises LakeAway, SegmentCorrupt."""
    for name, item in lake_files(manifest).items():
        if not (lake.folder / name).exists():
            lake.fetch(name, item.sha256)
            yield name


def leave(files: Files, lake: Lake, manifest: Manifest) -> int:
    """Have no lake any more: every file is here and whole, then what is there goes, then the folder forgets the lake;
    how many objects went. Raises LakeAway, WrongLake, SegmentCorrupt, OSError."""
    lake.claim()
    for _ in bring_back(lake, manifest):
        pass
    for name, item in lake_files(manifest).items():
        check(lake.folder, name, item.sha256)
    for place in {parent for name in lake_files(manifest) for parent in (lake.folder / name).parents}:
        if place.is_relative_to(lake.folder):
            files.sync_folder(place)
    count = len(lake.listing())
    with lake.asked(lake.folder):
        for folder in OURS:
            lake.bucket.remove_folder(folder.rstrip("/"))
        lake.bucket.remove(MARK)
    files.remove(lake.folder / PLACE)  # last: whoever is interrupted leaves once more
    files.sync_folder(lake.folder)
    return count
