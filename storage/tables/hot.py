"""Hot columns: columns of large sealed files that were read more than once, uncompressed, so that a query maps them
into memory instead of decoding them.

In: a file whose rows lie in order and the columns a query wants. Out: a frame of them, or None while they are not all
there; then those that were wanted before are made beside the query, for the next one. Invariant: nothing depends on
these files. A name says which file's column it is and what bytes it has, both as SHA-256, and these are checked when a
process first opens it; what is damaged, or beyond the budget and longest unused, is removed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow as pa

from storage.tables.manifest import DayFile, Segment
from storage.tables.sealed import scanned

log = logging.getLogger(__name__)
CACHE = "cache"
BUDGET = 4 << 30  # bytes of one folder
MOST_BUDGET = 1 << 44
LEAST_ROWS = 65_536  # of a file: smaller ones are decoded in no time
READS = 2  # of a column before it is made,
EVICTED = -8  # and so many more once it had to leave: else a budget that is too small means work without end
_MOST_COUNTED = 100_000
Key = tuple[str, str]  # digest of the file, column


@dataclass(frozen=True, slots=True)
class Column:
    """A column at hand, and what was seen of it once: of whole numbers the least and the greatest, of devices in order
    how many rows each has (`@device`, `len`)."""

    path: Path
    series: pl.Series
    bounds: tuple[int, int] | None = None
    runs: pl.DataFrame | None = None


class HotColumns:
    """The cache of all folders that a process reads. `budget` is in bytes, a folder; 0 keeps nothing."""

    def __init__(self, budget: int = BUDGET, *, least_rows: int = LEAST_ROWS) -> None:
        self.budget = budget
        self._least_rows = least_rows
        self._lock = threading.Lock()
        self._reads: Counter[Key] = Counter()
        self._open: dict[Path, dict[Key, Column]] = {}
        self._left: dict[Path, dict[Key, Path]] = {}  # by a former process, and not checked yet
        self._making: set[Key] = set()
        self._maker: ThreadPoolExecutor | None = None
        self._last: Future[None] | None = None

    @property
    def budget(self) -> int:
        """Bytes that a folder's columns may have."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        if not 0 <= budget <= MOST_BUDGET:
            raise ValueError(f"the budget of hot columns is 0 to {MOST_BUDGET} bytes, not {budget}")
        self._budget = budget

    def columns(self, folder: Path, item: DayFile | Segment, columns: Sequence[str]) -> list[Column] | None:
        """Columns of a file in order, whose digest the caller has checked; None if not all of them are here."""
        if not self._budget or item.rows < self._least_rows or not columns:
            return None
        with self._lock:
            known = self._open.get(folder)
            if known is None:
                known = self._open[folder] = {}
                self._left[folder] = {key: path for path in (folder / CACHE).glob("*.arrow") if (key := _named(path))}
            keys = [(item.sha256, name) for name in columns]
            found = [known[key] for key in keys if key in known]
            if len(found) == len(keys):
                return [_used(column) for column in found]
            wanted = [key[1] for key in keys if key not in known and self._counted(folder, key)]
            if wanted:
                self._make_later(folder, item, wanted)
        return None

    def forget(self, folder: Path, keep: Collection[str]) -> None:
        """Remove all columns but those of files with these digests."""
        self.settle()
        with self._lock:
            for known in (self._open.get(folder, {}), self._left.get(folder, {})):
                for key in [key for key in known if key[0] not in keep]:
                    del known[key]
        for path in (folder / CACHE).glob("*.arrow"):
            if belongs_to(path) not in keep:
                _remove(path)

    def settle(self) -> None:
        """Wait until what is being made is there."""
        with self._lock:
            last = self._last
        if last is not None:
            last.result()

    def _counted(self, folder: Path, key: Key) -> bool:
        """Whether a column was now read often enough, and nobody makes it yet."""
        if len(self._reads) > _MOST_COUNTED:
            self._reads.clear()
        self._reads[key] += 1
        return (self._reads[key] >= READS or key in self._left[folder]) and key not in self._making

    def _make_later(self, folder: Path, item: DayFile | Segment, columns: Sequence[str]) -> None:
        self._making.update((item.sha256, name) for name in columns)
        if self._maker is None:
            self._maker = ThreadPoolExecutor(1, "muster-hot-columns")
        self._last = self._maker.submit(self._make, folder, item, columns)

    def _make(self, folder: Path, item: DayFile | Segment, columns: Sequence[str]) -> None:
        try:
            (folder / CACHE).mkdir(exist_ok=True)
            for name in columns:
                key = (item.sha256, name)
                path = self._left[folder].pop(key, None)
                if path is None or not is_sound(path):
                    path = _write(folder / CACHE, item.sha256, _column(folder / item.file, name))
                with self._lock:
                    self._open[folder][key] = _mapped(path, name)
            self._fit(folder)
        except Exception as error:  # the disk, or a file that is gone: queries do without
            log.warning("columns of %s are not kept at hand: %s", item.file, error)
        finally:
            with self._lock:
                self._making.difference_update((item.sha256, name) for name in columns)

    def _fit(self, folder: Path) -> None:
        """Remove what was not used for longest until the rest fits the budget."""
        held = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in (folder / CACHE).glob("*.arrow"))
        beyond = sum(size for _, size, _ in held) - self._budget
        gone: set[Path] = set()
        for _, size, path in held:
            if beyond <= 0:
                break
            beyond -= size
            gone.add(path)
            _remove(path)
        with self._lock:
            known = self._open[folder]
            for key in [key for key, column in known.items() if column.path in gone]:
                del known[key]
                self._reads[key] = EVICTED


def _write(place: Path, digest: str, series: pl.Series) -> Path:
    """Write a column; its name says what it is."""
    temporary = place / f".{uuid4().hex}.new"
    try:
        series.to_frame().write_ipc(temporary, compression="uncompressed", record_batch_size=max(1, len(series)))
        final = place / f"{digest}-{series.name}-{_digest(temporary)}.arrow"
        temporary.replace(final)
    except BaseException:
        _remove(temporary)
        raise
    return final


def belongs_to(path: Path) -> str:
    """The SHA-256 of the sealed file that a file of the cache is of, by its name."""
    return path.name.partition("-")[0]


def _named(path: Path) -> Key | None:
    """Which column a file holds by its name."""
    digest, _, rest = path.name.partition("-")
    column, _, _ = rest.rpartition("-")
    return (digest, column) if column else None


def is_sound(path: Path) -> bool:
    """Whether a file has the bytes that its name says; if not it goes."""
    try:
        sound = path.name.endswith(f"-{_digest(path)}.arrow")
    except OSError:
        return False
    if not sound:
        log.warning("%s does not hold what was written to it; it is made again", path)
        _remove(path)
    return sound


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        found = sha256()
        while piece := file.read(1 << 20):
            found.update(piece)
        return found.hexdigest()


def _column(path: Path, name: str) -> pl.Series:
    return scanned(path).select(name).collect(engine="in-memory").to_series()


def _used(column: Column) -> Column:
    with contextlib.suppress(OSError):
        os.utime(column.path)  # the order in which they leave
    return column


def _mapped(path: Path, name: str) -> Column:
    with pa.memory_map(str(path)) as source:
        array: Any = pa.ipc.open_file(source).read_all().column(0)
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    series = series.alias(name)
    if name != "@device":
        return Column(path, series, _bounds(series))
    runs = series.rle().struct.unnest().select(pl.col("value").alias(name), "len")
    return Column(path, series.set_sorted(), _bounds(series), runs)


def _bounds(series: pl.Series) -> tuple[int, int] | None:
    if series.dtype != pl.Int64 or series.null_count() == len(series):
        return None
    return int(str(series.min())), int(str(series.max()))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
