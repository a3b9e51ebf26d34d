"""Rows in memory as files, so that a worker process reads the same snapshot: a file an object table, a file a part of
the tail.

In: a snapshot and the tables that a query reads. Out: a `Lease` on their files, mapped by the worker, and names for
answers. Invariants: a file holds one frame that never changes, is written once however many queries want it, and is
removed when none does; what a killed portal left is removed at the next start. Files here are of no account for what
is stored.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from storage.tables.api import Snapshot

Key = int


@dataclass(slots=True)
class _File:
    """A file, what it holds (which keeps its identity as long as this is known), and how many want it."""

    path: Path
    held: Any
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A snapshot without its rows, and the files that hold them: `tail` in the order of its parts."""

    snapshot: Snapshot
    tail: tuple[str, ...]
    objects: dict[str, str]
    keys: tuple[Key, ...]


class Spool:
    """The files of one folder. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Key, _File] = {}
        self._lock = threading.Lock()
        self._numbers = count(1)

    def clear(self) -> None:
        """Begin with an empty folder. Raises OSError."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True, mode=0o700)

    def new(self, suffix: str) -> Path:
        """A name that no file has or had."""
        return self._folder / f"{next(self._numbers)}.{suffix}"

    def names(self) -> set[Path]:
        """All files of the folder, answers among them."""
        return set(self._folder.iterdir())

    @property
    def files(self) -> int:
        """How many files of rows there are."""
        return len(self._files)

    def lease(self, snapshot: Snapshot, tables: Collection[str]) -> Lease:
        """The rows of tables as files. Blocks. Raises OSError, after which nothing is held."""
        tail = tuple(part for part in snapshot.tail if part.table in tables)
        keys: list[Key] = []
        with self._lock:
            try:
                parts = [self._file(part.frame, keys) for part in tail]
                objects = {name: self._file(held, keys) for name, held in snapshot.objects.items() if name in tables}
            except BaseException:
                self._release(keys)
                raise
        bare = replace(snapshot, tail=tuple(replace(part, frame=part.frame.clear()) for part in tail), objects={})
        return Lease(bare, tuple(parts), objects, tuple(keys))

    def release(self, lease: Lease) -> None:
        """Files that nobody else wants go."""
        with self._lock:
            self._release(lease.keys)

    def _file(self, held: Any, keys: list[Key]) -> str:
        known = self._files.get(id(held))
        if known is None:
            path = self.new("arrow")
            _write(held, path)
            known = self._files[id(held)] = _File(path, held)
        known.wanted += 1
        keys.append(id(held))
        return str(known.path)

    def _release(self, keys: Collection[Key]) -> None:
        for key in keys:
            file = self._files[key]
            file.wanted -= 1
            if not file.wanted:
                del self._files[key]
                file.path.unlink(missing_ok=True)


def _write(held: Any, path: Path) -> None:
    """An Arrow table, or a frame of Polars, as an Arrow file. What is half written is removed."""
    try:
        if isinstance(held, pa.Table):
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, held.schema) as writer:
                writer.write_table(held)
        else:
            held.write_ipc(path, compression="uncompressed")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
