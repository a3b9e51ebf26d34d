"""The figures of a store at work: first answers, ingest, users, an idle portal, telemetry over HTTP.

In: the folder of a made estate. Out: figures by name. Invariant: each is taken on a copy of the data folder, by
processes that are started and ended here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.shapes.copies import copied
from benchmarks.shapes.measuring import private_bytes
from benchmarks.shapes.processes import ROOT, child, started
from benchmarks.shapes.serving import UNSEALED

FIRST = "q6"  # the question after a start: it reads every row of the week
FLYING = 64
BATCHES = {
    "10 rows": (10, 12_000),
    "30 rows": (30, 10_000),
    "75 rows": (75, 8_000),
    "100 rows": (100, 8_000),
    "300 rows": (300, 3_000),
    "1,000 rows": (1_000, 1_000),
}
IDLE_SECONDS = 10.0
PATIENCE = 300.0


def at_work(
    figures: dict[str, Any], data: Path, now: int, users: tuple[int, ...], seconds: float, *, portal: bool
) -> None:
    """Put all figures into a record, which keeps what is there if a step fails. `portal` starts whole portals too."""
    figures["first"] = _first(data, now)
    figures["killed"] = _killed(data, now)
    figures["ingest"] = {name: _ingest(data, now, *size) for name, size in BATCHES.items()}
    figures["users"] = {str(count): _users(data, now, count, seconds) for count in users}
    if portal:
        figures["idle"] = _idle(data)
        figures["http"] = _http()


def _first(data: Path, now: int) -> dict[str, float]:
    with copied(data / "store", "store", data) as copy:
        return _timed_first(copy, now)


def _killed(data: Path, now: int) -> dict[str, float]:
    with copied(data / "store", "store", data) as copy:
        ready = copy / "ready"
        with started("fill", data=str(copy), plain=str(data / "plain"), now=now, ready=str(ready)) as (process, _):
            _wait(ready.exists, process)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        return _timed_first(copy, now) | {"unsealed": UNSEALED[0] * UNSEALED[1]}


def _timed_first(copy: Path, now: int) -> dict[str, float]:
    """`whole` is from the start of the process until the answer, its imports included."""
    began = time.perf_counter()
    figures: dict[str, float] = child("first", data=str(copy), now=now, shape=FIRST)
    return {"opened": figures["opened"], "answered": figures["answered"], "whole": figures["at"] - began}


def _ingest(data: Path, now: int, size: int, count: int) -> dict[str, float]:
    with copied(data / "store", "store", data) as copy:
        arguments = {"data": str(copy), "plain": str(data / "plain"), "now": now}
        figures: dict[str, float] = child("ingest", **arguments, size=size, count=count, flying=FLYING)
        return figures


def _users(data: Path, now: int, count: int, seconds: float) -> dict[str, Any]:
    with copied(data / "store", "store", data) as copy:
        figures: dict[str, Any] = child("users", data=str(copy), now=now, count=count, seconds=seconds)
        return figures


def _idle(data: Path) -> dict[str, float]:
    """Private memory (MiB) of a portal over the data, after it has been up for a while and nobody asked anything, and
    how long it took to listen."""
    with copied(data / "store", "tables", data) as copy:
        began = time.perf_counter()
        command = [sys.executable, "-m", "muster", "serve", "--data", str(copy), "--port", "0"]
        said = (copy / "said").open("wb")
        with said, subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT) as process:
            try:
                _wait(lambda: b"listens on" in (copy / "said").read_bytes(), process)
                listening = time.perf_counter() - began
                time.sleep(IDLE_SECONDS)
                private = private_bytes(Path(f"/proc/{process.pid}/status"))
            finally:
                process.terminate()
                process.wait()
    return {"private_mib": private / (1 << 20), "listening": listening}


def _http() -> dict[str, float]:
    """What `muster load` says of telemetry: rows a second, and a second of the portal's processor time."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "muster", "load", "--data", folder, "--json", "--idle", "0"]
        command += ["--devices", "80", "--senders", "80", "--batches", "5", "--rows", "1000"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    figures = msgspec.json.decode(done.stdout)["figures"]
    return {name: figures[name] for name in ("rows_per_second", "rows_per_cpu_second")}


def _wait(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.perf_counter() + PATIENCE
    while not done():
        if process.poll() is not None:
            raise RuntimeError(f"a process ended too early with code {process.returncode}")
        if time.perf_counter() > until:
            raise RuntimeError(f"a process was not ready in {PATIENCE:.0f} seconds")
        time.sleep(0.02)
