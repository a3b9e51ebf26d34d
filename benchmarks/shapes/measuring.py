"""How long an answer takes, by the clock and of the processor, and how much memory it needs on top.

In: a way to ask. Out: medians over at least five warm rounds, the first round of the process, the peak of private
memory above what was held before, and the fingerprint of the answer. Invariant: memory is looked at in a round of its
own, because looking costs time; a slow question is asked least often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import polars as pl

from benchmarks.shapes.fingerprint import fingerprint

LEAST, MOST, SECONDS = 5, 25, 2.0
WARM = 3  # rounds before, so that what a store keeps of columns it reads again is there
_MIB = 1 << 20
_STATUS = Path("/proc/self/status")


class Timing(msgspec.Struct, frozen=True):
    """What a question costs: milliseconds, and MiB. `baseline_mib` is the private memory held before."""

    wall_ms: float
    cpu_ms: float
    first_ms: float
    peak_mib: float
    baseline_mib: float
    rounds: int
    rows: int
    fingerprint: str


def measured(ask: Callable[[], Any], least: int = LEAST, settle: Callable[[], None] = lambda: None) -> Timing:
    """Ask again and again. The answers are `pyarrow.Table`s. `settle` waits for what a side makes beside the first
    questions."""
    began = time.perf_counter()
    answer = ask()
    first = time.perf_counter() - began
    for _ in range(min(WARM, least) - 1):
        ask()
        settle()
    walls: list[float] = []
    cpus: list[float] = []
    while len(walls) < least or (sum(walls) < SECONDS and len(walls) < MOST):
        cpu, wall = time.process_time(), time.perf_counter()
        ask()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    held, peak = _peak(ask)
    return Timing(
        wall_ms=median(walls) * 1_000,
        cpu_ms=median(cpus) * 1_000,
        first_ms=first * 1_000,
        peak_mib=max(0.0, (peak - held) / _MIB),
        baseline_mib=held / _MIB,
        rounds=len(walls),
        rows=answer.num_rows,
        fingerprint=fingerprint(answer),
    )


def private_bytes(status: Path = _STATUS) -> int:
    """Private memory of a process, files that are mapped not counted; 0 where the system does not tell."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1_024 for line in lines if line.startswith("RssAnon:")), 0)


def bandwidth() -> float:
    """Bytes a second that this machine reads from memory, with all its cores."""
    frame = pl.select(pl.int_range(16 << 20).alias("a")).with_columns(
        (pl.col("a") + at).alias(f"b{at}") for at in range(7)
    )
    sums = frame.lazy().select(pl.all().sum())
    taken = []
    for _ in range(9):
        began = time.perf_counter()
        sums.collect(engine="in-memory")
        taken.append(time.perf_counter() - began)
    return frame.width * frame.height * 8 / min(taken)


def _peak(ask: Callable[[], Any]) -> tuple[int, int]:
    held, stop = private_bytes(), threading.Event()
    peak = [held]

    def look() -> None:
        while not stop.wait(0.002):
            peak[0] = max(peak[0], private_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        ask()
    finally:
        stop.set()
        looking.join()
    return held, peak[0]
