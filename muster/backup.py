"""Backups of a data folder and what is made of them again: tables, control database, keys.

In: a folder, of a running portal or a stopped one; where to. Out: a folder or one file (tar) whose `backup.json` names
every file with its size and SHA-256. Invariants: the tables are those of one instant, and the control database is of
one a moment later, so that a restored portal finds in it whatever the tables still lack; what is written is read back
and compared; a restored folder gets its name only when all is whole, and nothing is ever written over.
"""

from __future__ import annotations

import fcntl
import io
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from muster.clock import now
from muster.errors import MusterError, UsageError
from muster.folder import actor, control
from muster.unfinished import finish, part_for
from nql.catalog.load import builtin
from portal.erasure.beside import LOCK, STAGING
from portal.erasure.service import TABLES
from portal.settings import Settings
from storage.control import audit
from storage.control.api import Control
from storage.control.copying import copy
from storage.control.errors import ControlError
from storage.control.tombstones import DEVICE
from storage.tables.copying import digests, hold, marked
from storage.tables.errors import StoreError
from storage.tables.files import Files
from storage.tables.store import Store

FORMAT = 1
LISTING = "backup.json"
MOST_DEVICES = 10_000_000
MOST_LISTING = 1 << 28  # bytes
FILES = Files()
_PIECE = 1 << 20


class Item(msgspec.Struct, frozen=True):
    """A file of a backup: its path in the data folder."""

    file: str
    bytes: int
    sha256: str


class Listing(msgspec.Struct, frozen=True):
    """What a backup holds. `created` is the instant of its tables, in microseconds UTC, `manifest` their number."""

    format: int
    created: int
    manifest: int
    files: list[Item]

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(item.bytes for item in self.files)


def make(data: Path, to: Path, files: Files = FILES) -> Listing:
    """Write a backup: one file if the name ends in `.tar`, else a new folder. Raises UsageError, MusterError."""
    if not Settings(data).control.is_file() and not Settings(data).tables.is_dir():
        raise UsageError(
            f"There is no data folder at {data}.", "Give the folder of `muster serve --data DIR`.", "no_folder"
        )
    if os.path.lexists(to):
        raise UsageError(f"{to} is there already.", "A backup is never written over; give another name.", "exists")
    try:
        with _staging(data) as staging, part_for(files, to, "backup") as part:
            listing = _collect(files, data, staging)
            (_write_tar if to.suffix == ".tar" else _write_folder)(files, staging, part, listing)
            finish(files, part, to)
    except (OSError, StoreError, ControlError) as error:
        raise MusterError(f"No backup was made: {error}.", "`muster doctor` says whether the folder is whole.") from (
            error
        )
    return listing


def restore(source: Path, data: Path, erased: Path | None = None, files: Files = FILES) -> tuple[Listing, int]:
    """Make a data folder of a backup; how many of whom `erased` (a file of `muster erasures --json`) tells are in it:
    the portal erases them again when it starts. Raises UsageError where a folder is, MusterError if the backup is not
    whole."""
    digests_of = _erased(erased) if erased is not None else []
    if os.path.lexists(data) and (not data.is_dir() or any(data.iterdir())):
        raise UsageError(f"{data} is there already.", "Restore into a folder that is new or empty.", "exists")
    try:
        with part_for(files, data, "restore") as part:
            part.mkdir(mode=0o700)
            listing = (_read_folder if source.is_dir() else _read_tar)(files, source, part)
            again = _join(files, part, listing, digests_of)
            _sync(files, part)
            finish(files, part, data)
    except (OSError, StoreError, ControlError, tarfile.TarError) as error:
        raise MusterError(f"Nothing was restored: {error}.", "Use another backup.", "damaged") from error
    return listing, again


# --- making --------------------------------------------------------------------------------------
@contextmanager
def _staging(data: Path) -> Iterator[Path]:
    """A folder for what is held; those of backups that were killed go. One backup at a time. Raises UsageError."""
    handle = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("Another backup of this folder is under way.", "Wait until it is over.", "busy") from None
        for left in data.glob(f"{STAGING}*"):
            shutil.rmtree(left)
        staging = data / f"{STAGING}{secrets.token_hex(4)}"
        staging.mkdir(mode=0o700)
        try:
            yield staging
        finally:
            shutil.rmtree(staging)
    finally:
        os.close(handle)


def _collect(files: Files, data: Path, staging: Path) -> Listing:
    """Hold the tables, then the control database and the keys; every file with its digest."""
    settings, held = Settings(data), Settings(staging)
    created = now()
    manifest = hold(settings.tables, held.tables, files) if settings.tables.is_dir() else None
    if settings.control.is_file():
        copy(settings.control, held.control)
    for key in sorted(data.glob("*.key")):
        _copy_file(files, key, staging / key.name)
    known = {f"{held.tables.name}/{file}": digest for file, digest in (digests(manifest) if manifest else {}).items()}
    items = [_item(staging, path) for path in sorted(staging.rglob("*")) if path.is_file()]
    for item in items:
        if known.get(item.file, item.sha256) != item.sha256:
            raise MusterError(
                f"{data / item.file} does not hold what was written to it; no backup was made.",
                "`muster doctor` says what is damaged and what can be repaired.",
                "damaged",
            )
    return Listing(FORMAT, created, manifest.number if manifest else 0, items)


def _item(folder: Path, path: Path) -> Item:
    digest, size = _digest(path)
    return Item(path.relative_to(folder).as_posix(), size, digest)


def _write_folder(files: Files, staging: Path, to: Path, listing: Listing) -> None:
    to.mkdir(mode=0o700)
    for item in listing.files:
        target = to / item.file
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy_file(files, staging / item.file, target)
    _fill(files, to / LISTING, [msgspec.json.encode(listing)])
    _sync(files, to)
    for item in listing.files:
        _check(item, *_digest(to / item.file))


def _write_tar(files: Files, staging: Path, to: Path, listing: Listing) -> None:
    _fill(files, staging / LISTING, [msgspec.json.encode(listing)])
    sink = _Sink(files, to)
    try:
        with tarfile.TarFile(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, copybufsize=_PIECE) as archive:
            for name in (LISTING, *(item.file for item in listing.files)):
                archive.add(staging / name, name, recursive=False)
        files.sync(sink.handle)
    finally:
        files.close(sink.handle)
    for _ in _members(to, listing):
        pass


class _Sink(io.RawIOBase):
    """A new file that its owner alone may read, being written from its beginning. Raises OSError."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._length = 0
        self.handle = files.create(path)
        os.fchmod(self.handle, 0o600)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, data: Any) -> int:
        self._files.write(self.handle, data, self._length)
        self._length += len(data)
        return len(data)


def _fill(files: Files, path: Path, pieces: Iterable[bytes]) -> None:
    """Write a new durable file that its owner alone may read; its name is not durable yet."""
    sink = _Sink(files, path)
    try:
        for piece in pieces:
            sink.write(piece)
        files.sync(sink.handle)
    finally:
        files.close(sink.handle)


def _copy_file(files: Files, source: Path, target: Path) -> None:
    with source.open("rb", buffering=0) as read:
        _fill(files, target, iter(lambda: read.read(_PIECE), b""))


# --- restoring -----------------------------------------------------------------------------------
def _read_folder(files: Files, source: Path, part: Path) -> Listing:
    listing = _listing((source / LISTING).read_bytes())
    for item in listing.files:
        target = part / item.file
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy_file(files, source / item.file, target)
        _check(item, *_digest(target))
    return listing


def _read_tar(files: Files, source: Path, part: Path) -> Listing:
    with tarfile.open(source, "r:") as archive:
        first = archive.next()
        read = archive.extractfile(first) if first is not None and first.isreg() else None
        if first is None or read is None or first.name != LISTING or first.size > MOST_LISTING:
            raise MusterError(f"{source} is no backup.", "`muster backup` makes them.", "no_backup")
        listing = _listing(read.read())
    for item, pieces in groupby(_members(source, listing), key=itemgetter(0)):
        target = part / item.file
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _fill(files, target, (piece for _, piece in pieces))
    return listing


def _members(source: Path, listing: Listing) -> Iterator[tuple[Item, bytes]]:
    """The bytes of each file in pieces; at its end a file is compared. Raises MusterError."""
    with tarfile.open(source, "r:") as archive:
        archive.next()
        for item in listing.files:
            member = archive.next()
            if member is None or member.name != item.file or not member.isreg() or member.size != item.bytes:
                raise MusterError(f"The backup lacks {item.file}.", "Use another backup.", "damaged")
            read = archive.extractfile(member)
            assert read is not None  # it is a file
            found, size = sha256(), 0
            yield item, b""
            while piece := read.read(_PIECE):
                found.update(piece)
                size += len(piece)
                yield item, piece
            _check(item, found.hexdigest(), size)


def _listing(raw: bytes) -> Listing:
    """What a backup says of itself. Raises MusterError."""
    try:
        listing = msgspec.json.decode(raw, type=Listing)
    except msgspec.MsgspecError as error:
        raise MusterError(f"{LISTING} of the backup cannot be read: {error}.", "Use another backup.", "damaged") from (
            error
        )
    if listing.format > FORMAT:
        raise MusterError(f"The backup has format {listing.format}, this program knows {FORMAT}.", "Use a newer one.")
    names = [item.file for item in listing.files]
    if len(set(names)) < len(names) or not all(map(_is_inside, names)):
        raise MusterError("The backup names a file outside of the data folder, or one twice.", "", "damaged")
    return listing


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and path.as_posix() == name and not {"..", "."} & set(path.parts) and "\0" not in name


class _Erased(msgspec.Struct):
    kind: str
    digest: str
    done_at: datetime | None = None

    def is_after(self, created: int) -> bool:
        """Whether a backup of then may hold it; who came again after an erasure is somebody new."""
        return self.done_at is None or self.done_at.timestamp() * 1_000_000 >= created


def _erased(path: Path) -> list[_Erased]:
    """What a list of erasures tells. Raises UsageError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[_Erased])
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path} is no list of erasures: {error}.", "`muster erasures --json` prints one.", "no_list"
        ) from error


def _join(files: Files, part: Path, listing: Listing, erased: list[_Erased]) -> int:
    """Open what was restored, and let the control database know what the tables have of it; whom it has that was
    erased since is to be erased again."""
    settings = Settings(part)
    if not settings.tables.is_dir() or not settings.control.is_file():
        return 0
    store = Store(settings.tables, builtin(), zone=None, clock=now, files=files)
    marks = store.state.marks
    known = {kind: list(store.state.objects[table].ids) for kind, table in TABLES.items()}
    store.abandon()
    with control(part) as opened:
        epoch = opened.epoch
        opened.outbox.rewind(marked(marks, "portal", epoch))
        opened.audit.mark(marked(marks, "audit", epoch))
        detail = {"backup_of": listing.created, "manifest": listing.manifest}
        opened.audit.note(audit.Entry(now(), actor(), "portal.restored", "portal", detail))
        known[DEVICE] += [device.uid for device in opened.enrolment.devices(limit=MOST_DEVICES)]
        since = [one for one in erased if one.is_after(listing.created)]
        return sum(_again(opened, kind, keys, since) for kind, keys in known.items())


def _again(opened: Control, kind: str, keys: list[str], erased: list[_Erased]) -> int:
    again = opened.erasures.among(kind, keys, [one.digest for one in erased if one.kind == kind])
    for key in again:
        opened.erasures.ask(kind, key, by=actor(), now=now())
    return len(again)


# --- files ---------------------------------------------------------------------------------------
def _check(item: Item, digest: str, size: int) -> None:
    if (digest, size) != (item.sha256, item.bytes):
        raise MusterError(f"{item.file} of the backup is not what was written to it.", "Use another one.", "damaged")


def _digest(path: Path) -> tuple[str, int]:
    found, size = sha256(), 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
            size += len(piece)
    return found.hexdigest(), size


def _sync(files: Files, folder: Path) -> None:
    """Make files and names of a folder durable."""
    for path in [*sorted(folder.rglob("*")), folder]:
        if path.is_dir():
            files.sync_folder(path)
        else:
            handle = files.open(path)
            try:
                files.sync(handle)
            finally:
                files.close(handle)
