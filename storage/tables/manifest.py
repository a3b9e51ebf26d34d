"""The manifest: the one file that says which sealed files make up the store, replaced whole.

Invariant: what it names exists, is durable and has the stated digest before the manifest is written; what it does not
name is of no account and may be removed. `journal` is the first journal file whose frames are not in the sealed files.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from storage.naming import Naming
from storage.tables.days import day_name
from storage.tables.errors import Corrupt, FormatTooNew, ManifestCorrupt, Unsure
from storage.tables.files import Files, write_whole

FORMAT = 2
NAME = "manifest.json"


class Segment(msgspec.Struct, frozen=True):
    """A sealed file of rows of one table and UTC day: its path in the folder, size, SHA-256, first and last time and
    row number, when the first of its rows were sealed, and whether they lie in the order of a compacted file."""

    file: str
    table: str
    day: int
    rows: int
    bytes: int
    sha256: str
    min_time: int
    max_time: int
    first_row: int
    last_row: int
    sealed: int = 0
    in_order: bool = False


class Sealed(msgspec.Struct, frozen=True):
    """Another sealed file: an object table or the marks."""

    file: str
    rows: int
    bytes: int
    sha256: str


class RollupFile(msgspec.Struct, frozen=True):
    """A sealed file of states of a compacted day's rows. `lacks` are columns whose states are not known."""

    file: str
    rows: int
    bytes: int
    sha256: str
    lacks: list[str] = []


class DayFile(msgspec.Struct, frozen=True):
    """Rows of one table and UTC day in Parquet, sorted by device and time; a large day is several, each of a range of
    devices. `rollups` are by kind: `device`, `quarter`, `daily`."""

    file: str
    table: str
    day: int
    rows: int
    bytes: int
    sha256: str
    min_time: int
    max_time: int
    rollups: dict[str, RollupFile] = {}


class DailyFile(msgspec.Struct, frozen=True):
    """The daily rows of a compacted file that has left, whose rows were kept for a shorter time."""

    file: str
    table: str
    day: int
    rows: int
    bytes: int
    sha256: str


SealedFile = Segment | DayFile | RollupFile | DailyFile | Sealed


class Manifest(msgspec.Struct, frozen=True):
    """The store at one instant. `number` counts manifests, `next_file` names of sealed files, `next_row` event rows;
    `lake` tells by table with which manifest its days last changed, `erasing` by table which ids of objects are on
    their way out of all files, `words` which words that name them."""

    format: int
    number: int
    zone: str
    created: int
    sealed: int
    next_row: int
    next_file: int
    journal: int
    segments: list[Segment] = []
    objects: dict[str, Sealed] = {}
    marks: Sealed | None = None
    days: list[DayFile] = []
    dailies: list[DailyFile] = []
    lake: dict[str, int] = {}
    erasing: dict[str, list[int]] = {}
    words: list[Naming] = []

    def sealed_files(self) -> Iterator[tuple[SealedFile, str]]:
        """Every file it names, with words for what it holds."""
        for segment in self.segments:
            yield segment, _told(segment)
        for day in self.days:
            yield day, _told(day)
            for kind, rollup in day.rollups.items():
                yield rollup, f"the {kind} states of {_told(day)}"
        for daily in self.dailies:
            yield daily, f"{daily.rows:,} daily rows of {daily.table} of {day_name(daily.day)}"
        for name, item in self.objects.items():
            yield item, f"the objects of {name}"
        if self.marks is not None:
            yield self.marks, "the marks of stored batches"

    def files(self) -> set[str]:
        """The names of these files."""
        return {item.file for item, _ in self.sealed_files()}

    def holding(self, file: str) -> str:
        """In words, what a file holds; empty if it is none of these."""
        return next((holds for item, holds in self.sealed_files() if item.file == file), "")


def _told(item: Segment | DayFile) -> str:
    return f"{item.rows:,} rows of {item.table} of {day_name(item.day)}"


class _Envelope(msgspec.Struct):
    sha256: str
    manifest: msgspec.Raw


class _Version(msgspec.Struct):
    format: int


def empty(zone: str, now: int) -> Manifest:
    """The manifest of a new folder."""
    return Manifest(FORMAT, 0, zone, created=now, sealed=now, next_row=0, next_file=1, journal=1)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, None if there is none yet. Raises ManifestCorrupt, FormatTooNew, OSError."""
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        envelope = msgspec.json.decode(data, type=_Envelope)
        raw = bytes(envelope.manifest)
        if sha256(raw).hexdigest() != envelope.sha256:
            raise ManifestCorrupt(path, "its digest is wrong")
        version = msgspec.json.decode(raw, type=_Version).format
        if version > FORMAT:
            raise FormatTooNew(f"{folder} has format {version}, this program knows {FORMAT}")
        manifest = msgspec.json.decode(raw, type=Manifest)
        return msgspec.structs.replace(manifest, format=FORMAT)  # format 1 had no days; the next one written says 2
    except msgspec.DecodeError as error:
        raise ManifestCorrupt(path, f"unreadable ({error})") from error


def write_manifest(files: Files, folder: Path, manifest: Manifest) -> None:
    """Make a manifest the valid one. Raises OSError, after which the former one is still valid, or Unsure; the new one
    is not durable before `sync_folder`."""
    raw = msgspec.json.encode(manifest)
    data = msgspec.json.encode(_Envelope(sha256(raw).hexdigest(), msgspec.Raw(raw)))
    temporary = folder / f"{NAME}.new"
    write_whole(files, temporary, data)
    try:
        files.rename(temporary, folder / NAME)
    except OSError as error:
        if not _is_valid(folder, manifest, error):
            raise


def _is_valid(folder: Path, manifest: Manifest, error: OSError) -> bool:
    """Whether a rename that reported an error took place all the same. Raises Unsure if that cannot be found out."""
    try:
        present = read_manifest(folder)
    except (OSError, Corrupt) as unreadable:
        raise Unsure(f"the manifest could not be replaced ({error}) and cannot be read ({unreadable})") from unreadable
    return present is not None and present.number == manifest.number
