"""Sealed files: Arrow IPC and Parquet, written once, fsynced, checked by SHA-256 after writing and whenever a process
first opens them.

In: frames, or bytes. Out: a file with a name that was never used before, its size and digest. Invariant: a reader never
sees rows of a file whose bytes have not been checked in this process.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Literal

import polars as pl
import pyarrow as pa

from storage.tables.clock import system_clock
from storage.tables.errors import SegmentCorrupt
from storage.tables.files import Files
from storage.tables.lake import here
from storage.tables.manifest import Sealed

_CHUNK = 1 << 20
_COMPRESSION: Literal["lz4"] = "lz4"  # a tenth to a quarter of the bytes, for a fifth more work in a scan
_BATCH_ROWS = 131_072
_GROUP_ROWS = 65_536  # small enough that one device is found among many by the groups' statistics
_USED = 60_000_000_000  # nanoseconds: how exact the time of a file's last use is
_ZSTD = 1  # of these rows 3 makes files that are larger, and takes a sixth longer


class _Sink(io.RawIOBase):
    """A file being written from its beginning, with the digest of what went in, and why it failed: what writes to it
    may make another error of that."""

    def __init__(self, files: Files, handle: int) -> None:
        super().__init__()
        self._files = files
        self._handle = handle
        self.length = 0
        self.digest = sha256()
        self.failed: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        try:
            self._files.write(self._handle, view, self.length)
        except BaseException as error:
            self.failed = error
            raise
        self.digest.update(view)
        self.length += len(view)
        return len(view)


def write_frame(files: Files, folder: Path, name: str, frame: pl.DataFrame) -> Sealed:
    """Write a frame as one Arrow IPC file. Raises OSError, or SegmentCorrupt if the file does not read back."""

    def write(to: IO[bytes]) -> None:
        frame.write_ipc(to, compression=_COMPRESSION, record_batch_size=_BATCH_ROWS)

    return _write(files, folder, name, frame.height, write)


def write_parquet(files: Files, folder: Path, name: str, frame: pl.DataFrame) -> Sealed:
    """Write a frame as one Parquet file. Raises OSError, or SegmentCorrupt if the file does not read back."""

    def write(to: IO[bytes]) -> None:
        frame.write_parquet(
            to, compression="zstd", compression_level=_ZSTD, row_group_size=_GROUP_ROWS, statistics=True
        )

    return _write(files, folder, name, frame.height, write)


def _write(files: Files, folder: Path, name: str, rows: int, write: Callable[[IO[bytes]], None]) -> Sealed:
    handle = files.create(folder / name)
    sink = _Sink(files, handle)
    try:
        buffered = io.BufferedWriter(sink, _CHUNK)
        write(buffered)
        buffered.flush()
        files.sync(handle)
    except BaseException:
        if sink.failed is not None:
            raise sink.failed from None
        raise
    finally:
        files.close(handle)
    sealed = Sealed(name, rows, sink.length, sink.digest.hexdigest())
    check(folder, sealed.file, sealed.sha256)
    return sealed


def write_bytes(files: Files, folder: Path, name: str, data: bytes) -> Sealed:
    """Write bytes as one file. Raises OSError, or SegmentCorrupt if the file does not read back."""
    handle = files.create(folder / name)
    try:
        files.write(handle, data, 0)
        files.sync(handle)
    finally:
        files.close(handle)
    sealed = Sealed(name, 0, len(data), sha256(data).hexdigest())
    check(folder, sealed.file, sealed.sha256)
    return sealed


def check(folder: Path, name: str, digest: str) -> None:
    """Raise SegmentCorrupt unless the file is there and has this digest."""
    path = folder / name
    found = sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_CHUNK):
                found.update(piece)
    except OSError as error:
        raise SegmentCorrupt(path, f"cannot be read ({error.strerror})") from error
    if found.hexdigest() != digest:
        raise SegmentCorrupt(path, "its bytes are not the ones that were written (wrong digest)")


def read_arrow(folder: Path, name: str, digest: str) -> Any:
    """The table in a sealed file, checked. Raises SegmentCorrupt."""
    check(folder, name, digest)
    try:
        with pa.memory_map(str(folder / name)) as source:
            return pa.ipc.open_file(source).read_all()
    except (pa.ArrowException, OSError) as error:
        raise SegmentCorrupt(folder / name, f"cannot be read ({error})") from error


def scanned(path: Path) -> pl.LazyFrame:
    """The rows of a sealed file, which is not checked."""
    if path.suffix == ".parquet":
        return pl.scan_parquet(path, glob=False, hive_partitioning=False)
    return pl.scan_ipc(path, glob=False)


def _used(path: Path) -> os.stat_result | None:
    """What the system tells of a file that is used now, None if it is not here. Its time of last access is the order
    in which files leave that are in a lake, too; the one of its last change stays."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    now = system_clock() * 1000
    if now - state.st_atime_ns > _USED:
        with contextlib.suppress(OSError):  # of a volume that is only read
            os.utime(path, ns=(now, state.st_mtime_ns))
    return state


class Checked:
    """The sealed files this process has checked, with the types of their columns. A file that changed since is checked
    again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[tuple[int, int, int], Mapping[str, pl.DataType]]] = {}

    def columns(self, folder: Path, name: str, digest: str) -> Mapping[str, pl.DataType]:
        """The columns of a file that is as it was written, brought from the lake if it is not here. Raises
        SegmentCorrupt, LakeAway."""
        path = folder / name
        try:
            state = _used(path)
            if state is None:
                here(folder, name, digest)
                state = path.stat()
        except OSError as error:
            raise SegmentCorrupt(path, f"cannot be read ({error.strerror})") from error
        stamp = (state.st_ino, state.st_size, state.st_mtime_ns)
        key = (os.fspath(path), digest)
        known = self._known.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        check(folder, name, digest)
        held = pl.read_parquet_schema(path) if name.endswith(".parquet") else pl.read_ipc_schema(path)
        with self._lock:
            self._known[key] = (stamp, held)
        return held
