"""A worker process: takes one query after the other from its standard input, writes each answer to a file.

In: `Work` from the portal that started it. Out: files, and a `Reply` each on standard output. Invariants: it has no
more memory of its own than it was started with (what it maps of files does not count), reads tables and never writes
them, and ends when the portal is gone. Who wants it to stop kills it: it keeps nothing that another one would miss.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.ipc

from engine.execute import run
from engine.result import Result
from engine.source import Source
from nql.catalog.model import Catalog
from portal.queries.forms import cut, pieces
from portal.queries.union import UnionSource
from portal.workers.messages import DEVICES, Reply, Work, read, unpacked
from storage.tables.api import HOT, LakeAway, SegmentCorrupt, SnapshotSource

Message = tuple[bytes | None, bytes]
MOST_SAID = 2000  # characters of what went wrong


def main(arguments: Sequence[str]) -> None:
    """Work until the portal is gone. The arguments are how many bytes of memory it may have, and how many columns at
    hand beside the sealed files."""
    memory, HOT.budget = map(int, arguments)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the portal
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    waiting: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_listen, args=(waiting,), daemon=True).start()
    pl.LazyFrame({"a": [1, 2]}).group_by("a").len().collect(engine="streaming")  # wakes Polars' threads
    _tell(answers, Reply("ready", data=_data()))
    catalog: Catalog | None = None
    while True:
        fresh, work = waiting.get()
        catalog = catalog if fresh is None else unpacked(fresh)
        if catalog is None:
            raise RuntimeError("the first work comes with a catalog")
        _tell(answers, msgspec.structs.replace(_replied(unpacked(work), catalog), data=_data()))


def _listen(waiting: SimpleQueue[Message]) -> None:
    """Take messages; without a portal there is nothing to do, whatever runs."""
    while (message := read(sys.stdin.buffer)) is not None:
        waiting.put(message)
    os._exit(0)


def _tell(answers: Any, reply: Reply) -> None:
    answers.write(msgspec.json.encode(reply) + b"\n")


def _replied(work: Work, catalog: Catalog) -> Reply:
    try:
        return _done(work, catalog)
    except MemoryError as error:
        return Reply("memory", reason=str(error)[:MOST_SAID])
    except SegmentCorrupt as error:
        return Reply("damaged", reason=error.detail[:MOST_SAID], path=str(error.path))
    except LakeAway as error:
        return Reply("away", reason=error.detail[:MOST_SAID], path=str(error.path))
    except Exception as error:
        traceback.print_exc()
        return Reply("failed", reason=f"{type(error).__name__}: {error}"[:MOST_SAID])


def _done(work: Work, catalog: Catalog) -> Reply:
    result = cut(run(work.plan, opened(work, catalog), limit=work.offset + work.limit), work.offset)
    if work.media is None:
        _write_rows(result, Path(work.target))
    else:
        with Path(work.target).open("wb") as file:
            file.writelines(pieces(result, work.media))
    return Reply("done", result.table.num_rows, result.truncated)


def opened(work: Work, catalog: Catalog) -> Source:
    """The source that the portal had when it handed the work over."""
    parts = zip(work.snapshot.tail, work.tail, strict=True)
    tail = tuple(replace(part, frame=pl.DataFrame(_mapped(file))) for part, file in parts)
    objects = {name: _mapped(file) for name, file in work.objects.items()}
    source = SnapshotSource(replace(work.snapshot, tail=tail, objects=objects), catalog)
    return UnionSource(source, catalog, work.beside) if any(work.beside.values()) else source


def _mapped(file: str) -> Any:
    with pa.memory_map(file) as source:
        return pa.ipc.open_file(source).read_all()


def _write_rows(result: Result, target: Path) -> None:
    """Columns by position, then the devices."""
    columns = [*result.table.columns, *([] if result.devices is None else [result.devices])]
    names = [str(at) for at in range(result.table.num_columns)] + ([] if result.devices is None else [DEVICES])
    table = pa.table(columns, names=names)
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _data() -> int:
    """Bytes of memory of its own that this process has, as its limit counts them."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
