"""The lake: the object store in which closed days lie, and the way of one file from there to here.

In: a folder, whose `lake.json` says where its lake is. Out: files, whole and with the digest that the manifest says.
Invariants: the names there are those of the folder; a file appears here under its name only when all its bytes are
checked and on disk; one folder has a lake to itself, told by a mark there. What goes to the lake, and what leaves it,
is the business of `storage.tables.mirror`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import msgspec

from storage.tables.bucket import Bucket, S3Bucket
from storage.tables.errors import LakeAway, SegmentCorrupt, WrongLake
from storage.tables.files import Files, write_whole
from storage.tables.manifest import DailyFile, DayFile, Manifest, RollupFile

PLACE, MARK = "lake.json", "muster-lake.json"
OURS = ("lake/", "rollups/")  # what lies below the address, beside the mark
LEAST_FREE = 1 << 30  # bytes of the disk that fetching leaves to the journal
PAUSE = 5.0  # seconds after a failure in which nobody waits for the same again
_BUCKETS: dict[str, Bucket] = {}
_LAKES: dict[Path, Lake] = {}
_LOCK = threading.Lock()


class Place(msgspec.Struct, frozen=True):
    """Where the lake of a folder is, and by what id it knows the folder."""

    url: str
    id: str


class Lake:
    """The lake of one folder, in this process."""

    def __init__(self, folder: Path, place: Place, bucket: Bucket) -> None:
        self.folder, self.place, self.bucket = folder, place, bucket
        self._gate = threading.Lock()
        self._under_way: dict[str, threading.Lock] = {}
        self._away: tuple[float, str] = (float("-inf"), "")

    def fetch(self, name: str, digest: str, to: Path | None = None) -> None:
        """Bring a file here, or to another path, unless it is there. Raises LakeAway, SegmentCorrupt."""
        path = to or self.folder / name
        with self._gate:
            turn = self._under_way.setdefault(name, threading.Lock())
        with turn:
            if path.exists():
                return
            with self.asked(path):
                self._written(name, digest, path)
        with self._gate:
            self._under_way.pop(name, None)

    def verify(self, name: str, digest: str) -> str:
        """What is wrong with an object of the lake, read whole; nothing if it is as it was written. Raises
        LakeAway."""
        found = sha256()
        with self.asked(self.folder / name):
            try:
                for piece in self.bucket.get(name):
                    found.update(piece)
            except FileNotFoundError:
                return f"it is not in {self.place.url}"
        return "" if found.hexdigest() == digest else f"its bytes in {self.place.url} are not those that were written"

    def listing(self) -> dict[str, int]:
        """What of ours is there, and its sizes. Raises LakeAway."""
        with self.asked(self.folder):
            return {name: size for name, size in self.bucket.sizes().items() if name.startswith(OURS)}

    def claim(self) -> None:
        """Make sure that the lake is this folder's alone; one that holds nothing is free, whatever mark a start that
        failed left there. Raises WrongLake, LakeAway."""
        ours = msgspec.json.encode({"folder": self.place.id})
        with self.asked(self.folder):
            if self._marked() == ours:
                return
            if not any(name.startswith(OURS) for name in self.bucket.sizes()):
                self.bucket.put(MARK, [ours])
                if self._marked() == ours:
                    return
        raise WrongLake(
            f"the lake {self.place.url} holds files of another data folder; give this one a prefix of its own"
        )

    def _marked(self) -> bytes:
        try:
            return b"".join(self.bucket.get(MARK))
        except FileNotFoundError:
            return b""

    @contextlib.contextmanager
    def asked(self, path: Path) -> Iterator[None]:
        """Turns what the object store says into what callers are told; just after a failure nobody waits for another.
        Raises LakeAway."""
        since, why = self._away
        if time.monotonic() - since < PAUSE:
            raise LakeAway(path, self.place.url, why)
        try:
            yield
        except OSError as error:
            why = f"the lake {self.place.url} does not answer: {' '.join(str(error).split())[:300]}"
            self._away = (time.monotonic(), why)
            raise LakeAway(path, self.place.url, why) from error

    def forgive(self) -> None:
        """Ask again at once, also just after a failure."""
        self._away = (float("-inf"), "")

    def _written(self, name: str, digest: str, path: Path) -> None:
        """Raises OSError of the lake, LakeAway where there is no room here, SegmentCorrupt."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part, found = path.with_name(f".{path.name}.{uuid4().hex}.part"), sha256()
        try:
            with part.open("wb") as file:
                for piece in self._pieces(name, path):
                    if shutil.disk_usage(path.parent).free - len(piece) < LEAST_FREE:
                        why = f"there is too little room on the disk to bring {name} here from {self.place.url}"
                        raise LakeAway(path, self.place.url, why)
                    file.write(piece)
                    found.update(piece)
                file.flush()
                os.fdatasync(file.fileno())
            if found.hexdigest() != digest:
                raise SegmentCorrupt(path, f"its bytes in {self.place.url} are not those that were written")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _pieces(self, name: str, path: Path) -> Iterator[bytes]:
        try:
            yield from self.bucket.get(name)
        except FileNotFoundError:
            raise SegmentCorrupt(path, f"it is neither here nor in {self.place.url}") from None


def lake_files(manifest: Manifest) -> dict[str, DayFile | RollupFile | DailyFile]:
    """The files of a manifest that belong in a lake, by name."""
    found = (item for item, _ in manifest.sealed_files())
    return {item.file: item for item in found if isinstance(item, DayFile | RollupFile | DailyFile)}


def lake_of(folder: Path) -> Lake | None:
    """The lake of a folder, None if it has none. Raises SegmentCorrupt if what says so cannot be read."""
    place = read_place(folder)
    if place is None:
        return None
    with _LOCK:
        known = _LAKES.get(folder)
        if known is None or known.place != place:
            known = _LAKES[folder] = Lake(folder, place, _BUCKETS.get(place.url) or S3Bucket(place.url))
        return known


def here(folder: Path, name: str, digest: str) -> bool:
    """Make sure that a sealed file lies in its folder, if there is a lake to bring it from; whether it had to be
    brought. Raises LakeAway, SegmentCorrupt."""
    if (folder / name).exists() or not name.startswith(OURS):
        return False
    lake = lake_of(folder)
    if lake is None:
        return False  # who reads it finds that it is missing
    lake.fetch(name, digest)
    return True


def unfinished(folder: Path) -> list[Path]:
    """What is being brought into a folder now, or was by a process that was killed meanwhile."""
    return [*folder.glob("lake/*/day=*/.*.part"), *folder.glob("rollups/.*.part")]


def joined(files: Files, folder: Path, url: str | None, bucket: Bucket | None = None) -> Lake | None:
    """The lake that a folder has, or is to have from now on; None for none. `bucket` is what answers at the address.
    Raises WrongLake, LakeAway, ValueError for an address that is none, OSError."""
    place = read_place(folder)
    if bucket is not None and url is not None:
        _BUCKETS[url] = bucket
        _LAKES.pop(folder, None)
    if place is None and url is not None:
        if bucket is None:
            S3Bucket(url)
        _write_place(files, folder, Place(url, uuid4().hex))
        try:
            found = lake_of(folder)
            assert found is not None
            found.forgive()
            found.claim()
        except BaseException:
            files.remove(folder / PLACE)
            raise
    elif place is not None and url not in (None, place.url):
        raise WrongLake(f"the lake of {folder} is {place.url}, not {url}; `muster lake leave` brings all files back")
    return lake_of(folder)


def read_place(folder: Path) -> Place | None:
    """What a folder says of its lake, None if it has none. Raises SegmentCorrupt."""
    try:
        return msgspec.json.decode((folder / PLACE).read_bytes(), type=Place)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise SegmentCorrupt(folder / PLACE, f"cannot be read ({error})") from error


def _write_place(files: Files, folder: Path, place: Place) -> None:
    temporary = folder / f"{PLACE}.new"
    write_whole(files, temporary, msgspec.json.encode(place))
    files.rename(temporary, folder / PLACE)
    files.sync_folder(folder)
