"""Compaction in a process of its own, so that queries do not wait behind it and its memory goes when it ends.

In: orders, one a line, on standard input. Out: for each the files that were made, or what failed, one a line on
standard output. Invariant: the process writes only files with the stem it was given, and whoever started it removes
these if it dies; it ends when its input does. It knows only tables of the catalog as shipped: others are compacted by
threads of the store.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from nql.catalog.load import builtin
from nql.catalog.model import Catalog
from storage.tables.compact import Compacted, Compaction, Stopped, Task, new_stem
from storage.tables.days import day_name
from storage.tables.errors import SegmentCorrupt, StorageFailed, StoreError
from storage.tables.files import Files, discard
from storage.tables.manifest import DayFile
from storage.tables.schema import schemas_of
from storage.tables.seal import LAKE, ROLLUPS

NICE = 10  # queries go first
_WAIT = 0.2  # seconds between looks whether it is to stop


class _Order(msgspec.Struct):
    """A task, and the stem of the names of its files."""

    folder: str
    zone: str
    stem: str
    most_rows: int
    rollup_rows: int
    task: Task


class _Answer(msgspec.Struct):
    """The files made, or why there are none: of an error of the system its number, of a damaged file its path."""

    days: list[DayFile] = []
    error: str = ""
    code: int = 0
    path: str = ""


class Worker:
    """A process that does tasks one after the other; started by the first, ended by `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, by: Compaction, task: Task) -> Compacted:
        """Do a task as `Compaction.run` does. Raises OSError, SegmentCorrupt, StorageFailed, Stopped."""
        stem = new_stem()
        order = _Order(str(by.folder), by.zone.key, stem, by.most_rows, by.rollup_rows, task)
        try:
            answer = self._ask(msgspec.json.encode(order), by.stop)
        except BaseException:
            self.close()
            _remove(by, task, stem)
            raise
        if answer.code:
            raise OSError(answer.code, os.strerror(answer.code))
        if answer.path:
            raise SegmentCorrupt(Path(answer.path), answer.error)
        if answer.error:
            raise StorageFailed(answer.error)
        return Compacted(task, tuple(answer.days))

    def close(self) -> None:
        """End the process, at once."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _ask(self, order: bytes, stop: Callable[[], bool]) -> _Answer:
        process = self._process = self._process or _start()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead, as its answer will tell
            process.stdin.write(order + b"\n")
            process.stdin.flush()
        while not select.select([process.stdout], [], [], _WAIT)[0]:
            if stop():
                raise Stopped
        line = process.stdout.readline()
        if not line:
            raise StorageFailed(f"the process that compacts ended by itself (code {process.wait()})")
        return msgspec.json.decode(line, type=_Answer)


def can_do(files: Files, catalog: Catalog) -> bool:
    """Whether a process does the same as a thread here: on the real disk, with the tables it knows."""
    return type(files) is Files and catalog.version == builtin().version


def _start() -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        __name__,
    ]  # a session of its own: the terminal's interrupt is for whoever started it
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _remove(by: Compaction, task: Task, stem: str) -> None:
    """Remove what a process that is gone may have left of a task."""
    for place in (f"{LAKE}/{task.table}/day={day_name(task.day)}/{stem}-*", f"{ROLLUPS}/*-{stem}-*"):
        for path in by.folder.glob(place):
            discard(by.files, path)


def _do(line: bytes) -> _Answer:
    order = msgspec.json.decode(line, type=_Order)
    by = Compaction(
        Files(), Path(order.folder), schemas_of(builtin()), ZoneInfo(order.zone),
        most_rows=order.most_rows, rollup_rows=order.rollup_rows,
    )  # fmt: skip
    try:
        return _Answer(list(by.run(order.task, order.stem).days))
    except SegmentCorrupt as error:
        return _Answer(error=error.detail, path=str(error.path))
    except StoreError as error:
        return _Answer(error=str(error))
    except OSError as error:
        return _Answer(error=str(error), code=error.errno or 0)
    except Exception as error:
        return _Answer(error=f"compaction failed ({error!r})")


def main() -> None:
    """Do what the input says until it ends."""
    os.nice(NICE)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(_do(line)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
