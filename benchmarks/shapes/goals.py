"""The goals, and what a run reached of them.

In: the figures of a run. Out: one line a goal, with what was reached, or None where the run did not measure it.
Invariant: a goal is a number with a direction; nothing is rounded before it is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from benchmarks.shapes.estate import SAMPLES
from benchmarks.shapes.shapes import SHAPES, Shape

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal and what was reached, both in `unit`. `least` says that more is better."""

    name: str
    goal: float
    unit: str
    reached: float | None
    least: bool = False

    @property
    def kept(self) -> bool:
        """Whether it was reached."""
        if self.reached is None:
            return False
        return self.reached >= self.goal if self.least else self.reached <= self.goal


def goals(figures: Figures) -> list[Goal]:
    """All goals of a run."""
    return [*_ratios(figures), *_shapes(figures), *_at_work(figures)]


def timing(figures: Figures, side: str, shape: str) -> Figures | None:
    """What a shape cost on a side; None if it was not measured."""
    found: Figures | None = figures["sides"].get(side, {}).get("shapes", {}).get(shape)
    return found


def ratio(figures: Figures, ours: str, theirs: str, what: str = "wall_ms") -> float | None:
    """The geometric mean, over the compared shapes, of our time divided by theirs; None if one is lacking."""
    found = [_ratio(figures, ours, theirs, shape, what) for shape in SHAPES if shape.compared]
    known = [one for one in found if one is not None]
    return prod(known) ** (1 / len(known)) if len(known) == len(found) else None


def _ratio(figures: Figures, ours: str, theirs: str, shape: Shape, what: str) -> float | None:
    one, other = timing(figures, ours, shape.name), timing(figures, theirs, shape.name)
    return None if one is None or other is None else one[what] / max(other[what], 1e-6)


def _ratios(figures: Figures) -> Iterator[Goal]:
    mean = "geometric mean of q3 to q9:"
    for peer, said in (("duckdb-time", "DuckDB"), ("chdb-time", "chdb")):
        reached = ratio(figures, "muster-rollups", peer)
        yield Goal(f"{mean} part of {said}'s time, time order", 0.25, "", reached)
    yield Goal(f"{mean} part of DuckDB's time, our order, raw", 0.7, "", ratio(figures, "muster", "duckdb-ids"))
    reached = ratio(figures, "muster-rollups", "duckdb-ids")
    yield Goal(f"{mean} part of DuckDB's time, our order, with rollups", 0.1, "", reached)
    worst = [_ratio(figures, "muster", "duckdb-files", shape, "wall_ms") for shape in SHAPES if shape.compared]
    known = [one for one in worst if one is not None]
    yield Goal("the worst of q3 to q9: part of DuckDB's time on the same files, raw", 1.1, "", max(known, default=None))


def _shapes(figures: Figures) -> Iterator[Goal]:
    for shape in SHAPES:
        for side, goal in (("muster", shape.raw_goal), ("muster-rollups", shape.rollup_goal)):
            if goal is not None:
                found = timing(figures, side, shape.name)
                kind = "raw" if side == "muster" else "rollups"
                name = f"{shape.name}, {kind}: {shape.title}"
                yield Goal(name, goal, "ms", None if found is None else found["wall_ms"])


def _at_work(figures: Figures) -> Iterator[Goal]:
    def at(*path: str) -> float | None:
        found: Any = figures
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, int | float) else None

    yield Goal("first answer after a clean stop, the process started", 3, "s", at("work", "first", "whole"))
    yield Goal("first answer after kill -9 with a million unsealed rows", 6, "s", at("work", "killed", "whole"))
    yield Goal("private memory of an idle portal", 1_536, "MiB", at("work", "idle", "private_mib"))
    for name in ("75 rows", "100 rows", "1,000 rows"):
        rows = at("work", "ingest", name, "rows_per_second")
        yield Goal(f"durable rows a second, table API, batches of {name}", 500_000, "rows/s", rows, least=True)
        yield Goal(
            f"99 % of their acknowledgements, 64 in flight, {name}", 10, "ms", at("work", "ingest", name, "p99_ms")
        )
    http = at("work", "http", "rows_per_cpu_second")
    yield Goal("rows a second of processor time, HTTP route", 100_000, "rows/s", http, least=True)
    seconds, rows = at("taken", "compaction_seconds"), at("taken", "compacted_rows")
    pace = rows / seconds if seconds and rows else None
    yield Goal("rows compacted a second", 700_000, "rows/s", pace, least=True)
    wait = at("taken", "reader_seconds")
    yield Goal("the longest that a reader waited for a snapshot while compacting", 50, "ms", wait and wait * 1_000)


def limit_ms(figures: Figures, shape: str) -> float | None:
    """How long memory alone needs for what a shape must read, in milliseconds; None where that is nothing."""
    least = figures["least_bytes"].get(shape)
    return least / figures["machine"]["bytes_per_second"] * 1_000 if least else None


def all_rows(figures: Figures) -> int:
    """The samples in the window."""
    rows: int = figures["rows"][SAMPLES]
    return rows
