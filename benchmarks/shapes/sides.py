"""The engines that are measured, each with one way to be asked: Muster, Polars by hand, DuckDB and chdb.

In: the folder of a made estate. Out: for a shape its answer in Arrow. Invariant: no side remembers an answer; every
side asks of its own form of the same rows, which `prepare` makes once, in the order that the side's name tells. A side
that cannot be had here says why when it is opened.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb
import pyarrow as pa

from benchmarks.shapes.by_polars import WRITTEN, Plain
from benchmarks.shapes.estate import EVENT_TABLES, TIMES
from benchmarks.shapes.plain import OBJECTS, files
from benchmarks.shapes.shapes import Shape, sql
from engine.execute import run
from engine.result import Result
from engine.source import AroundLaid, Grain, Source, laid
from nql.api import Compiler, Context, resolve
from nql.catalog.load import builtin
from nql.plan.relations import absolute, scans
from storage.tables.api import Batch, SnapshotSource, open_tables
from storage.tables.read import HOT

T = TypeVar("T")
VIEWS = dict(zip(EVENT_TABLES, ("samples", "crashes", "executions"), strict=True))


class UnavailableError(Exception):
    """A side that cannot be measured here, and why."""


class Side(Protocol):
    """One engine, opened."""

    def ask(self, shape: Shape) -> Any:
        """The answer, as a `pyarrow.Table` with the columns that are compared."""
        ...

    def settle(self) -> None:
        """Wait for what was begun beside questions, and makes the next ones faster."""
        return

    def close(self) -> None:
        """Let everything go."""
        ...


class Raw(AroundLaid):
    """A source that keeps its rollups to itself."""

    def rollup(self, table: str, grain: Grain, states: Sequence[str], *, start: int, end: int) -> None:
        """None."""


class Muster(Side):
    """The engine over the table store: text in, `Result` out, nothing remembered between two questions but what the
    store keeps."""

    def __init__(self, data: Path, now: int, *, rollups: bool) -> None:
        self._now, self._rollups = now, rollups
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tables = self._wait(open_tables(data / "store", builtin(), clock=lambda: now))

    def result(self, text: str) -> Result:
        """The answer to a text. Any thread may ask."""
        plan = resolve(Compiler().compile(text, builtin()).plan, Context(self._now, "UTC", "UTC", {}))
        source: Source = SnapshotSource(self._wait(self._tables.snapshot()), builtin())
        return run(plan, Raw(source) if laid(source) and not self._rollups else source)

    def append(self, batch: Batch) -> None:
        """Store a batch."""
        self._wait(self._tables.append(batch))

    def ask(self, shape: Shape) -> Any:
        """See `Side`."""
        return self.result(shape.text).table.select(list(shape.shown))

    def settle(self) -> None:
        """Until columns that are kept at hand are there."""
        HOT.settle()

    def close(self) -> None:
        """See `Side`."""
        self._wait(self._tables.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class ByHand(Side):
    """Polars, streaming, over plain Parquet files."""

    def __init__(self, data: Path, order: str, window: tuple[int, int]) -> None:
        self._plain = Plain(data / "plain", order, *window)

    def ask(self, shape: Shape) -> Any:
        """See `Side`."""
        return WRITTEN[shape.name](self._plain).collect(engine="streaming").to_arrow()

    def close(self) -> None:
        """Nothing is held."""


class Duck(Side):
    """DuckDB: its own file, or views of plain Parquet files."""

    def __init__(self, data: Path, order: str, window: tuple[int, int], *, native: bool) -> None:
        self._window = window
        if native:
            self._connection = duckdb.connect(str(data / "duckdb" / f"{order}.db"), read_only=True)
            return
        self._connection = duckdb.connect()
        for name, source in _sources(data / "plain", order).items():
            self._connection.execute(f"create view {name} as select * from {source}")

    def ask(self, shape: Shape) -> Any:
        """See `Side`."""
        return self._connection.sql(sql(shape, "duckdb", *self._window)).to_arrow_table()

    def close(self) -> None:
        """See `Side`."""
        self._connection.close()


class Chdb(Side):
    """ClickHouse in the process, tables of MergeTree."""

    def __init__(self, data: Path, order: str, window: tuple[int, int]) -> None:
        self._window = window
        self._session = _chdb_session(data / "chdb" / order)

    def ask(self, shape: Shape) -> Any:
        """See `Side`."""
        answer = self._session.query(sql(shape, "chdb", *self._window), "Arrow").bytes()
        return pa.ipc.open_file(pa.py_buffer(answer)).read_all()

    def close(self) -> None:
        """See `Side`."""
        self._session.close()


def window(now: int) -> tuple[int, int]:
    """The window that `past 168h` is at an instant, which the peers are given as numbers."""
    plan = resolve(Compiler().compile("execution.events during past 168h", builtin()).plan, _context(now))
    (found,) = (absolute(scan) for scan in scans(plan.relation))
    if found is None:
        raise TypeError("a window without ends")
    return found.start, found.end


def _context(now: int) -> Context:
    return Context(now, "UTC", "UTC", {})


SIDES: Mapping[str, Callable[[Path, int], Side]] = {
    "muster": lambda data, now: Muster(data, now, rollups=False),
    "muster-rollups": lambda data, now: Muster(data, now, rollups=True),
    "polars-time": lambda data, now: ByHand(data, "time", window(now)),
    "polars-ids": lambda data, now: ByHand(data, "ids", window(now)),
    "duckdb-time": lambda data, now: Duck(data, "time", window(now), native=True),
    "duckdb-ids": lambda data, now: Duck(data, "ids", window(now), native=True),
    "duckdb-files": lambda data, now: Duck(data, "ids", window(now), native=False),
    "chdb-time": lambda data, now: Chdb(data, "time", window(now)),
    "chdb-ids": lambda data, now: Chdb(data, "ids", window(now)),
}


def prepare(name: str, data: Path) -> None:
    """Make a side's own form of the rows, if it has one. Raises UnavailableError."""
    engine, _, order = name.partition("-")
    if engine == "duckdb" and order != "files":
        _make_duck(data, order)
    elif engine == "chdb":
        _make_chdb(data, order)


def _make_duck(data: Path, order: str) -> None:
    path = data / "duckdb" / f"{order}.db"
    if path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    growing = path.with_suffix(".growing")
    growing.unlink(missing_ok=True)
    with duckdb.connect(str(growing)) as connection:
        for name, source in _sources(data / "plain", order).items():
            connection.execute(f"create table {name} as select * from {source}")
    growing.rename(path)


def _make_chdb(data: Path, order: str) -> None:
    folder = data / "chdb" / order
    done = folder.with_suffix(".made")
    if done.exists():
        return
    session = _chdb_session(folder)
    for table, name in VIEWS.items():
        time = TIMES[table]
        key = f"({time}, device)" if order == "time" else f"(intDiv({time}, 86400000000), device, {time})"
        _chdb_table(session, name, key, data / "plain" / order / table / "*.parquet")
    for name in OBJECTS:
        _chdb_table(session, name, "id", data / "plain" / "objects" / f"{name}.parquet")
    session.close()
    done.touch()


def _chdb_table(session: Any, name: str, key: str, source: Path) -> None:
    session.query(f"drop table if exists {name}")
    session.query(
        f"create table {name} engine = MergeTree order by {key} "
        f"settings allow_nullable_key = 1 as select * from file('{source}', Parquet)"
    )
    session.query(f"optimize table {name} final")


def _chdb_session(folder: Path) -> Any:
    if importlib.util.find_spec("chdb") is None:
        raise UnavailableError("chdb is not installed (540 MB): uv pip install -r requirements/bench.txt")
    from chdb import session

    folder.parent.mkdir(exist_ok=True)
    return session.Session(str(folder))


def _sources(plain: Path, order: str) -> dict[str, str]:
    """What DuckDB reads for each table, in the order of the files."""
    found = {name: f"read_parquet({files(plain, order, table)})" for table, name in VIEWS.items()}
    return found | {name: f"read_parquet('{plain}/objects/{name}.parquet')" for name in OBJECTS}
