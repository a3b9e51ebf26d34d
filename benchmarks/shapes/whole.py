"""The whole measurement: makes the estate if it is not there, asks every side every shape, and puts it all together.

In: what is wanted. Out: figures as plain data, of one run on one machine. Invariant: sides whose answers differ end
the run; everything measured is in the figures, nothing is kept from another run but the estate itself.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.shapes import loading, plain
from benchmarks.shapes.atwork import at_work
from benchmarks.shapes.estate import Estate
from benchmarks.shapes.limits import least_bytes, rows_in, widths
from benchmarks.shapes.processes import child
from benchmarks.shapes.shapes import named
from benchmarks.shapes.sides import window

MADE = "made.json"
OURS = ("muster", "muster-rollups")
Say = Callable[[str], None]


class DifferentError(Exception):
    """Two sides gave different answers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is measured: the sides, the shapes (None for all), the rounds at least, and whether the store at work is."""

    sides: tuple[str, ...]
    only: str | None
    rounds: int
    work: bool
    portal: bool
    users: tuple[int, ...]
    seconds: float


def make(estate: Estate, data: Path, say: Say) -> dict[str, float]:
    """The estate in its folder, made unless it is there; the seconds it took by step."""
    data.mkdir(parents=True, exist_ok=True)
    wanted = msgspec.to_builtins(asdict(estate))
    if (data / MADE).exists():
        made = msgspec.json.decode((data / MADE).read_bytes())
        if made["estate"] != wanted:
            raise FileExistsError(f"{data} holds another estate; give another folder or remove it")
        taken: dict[str, float] = made["taken"]
        return taken
    if any(data.iterdir()):
        raise FileExistsError(f"{data} is not empty and holds no whole estate; give another folder or remove it")
    say(f"making {estate.samples:,} samples of {estate.devices:,} devices in {data}")
    began = time.perf_counter()
    plain.write(estate, data / "plain")
    taken = {"plain_seconds": time.perf_counter() - began}
    say(f"plain files: {taken['plain_seconds']:.0f} s")
    taken |= loading.load(data / "plain", data / "store", estate.now)
    say(", ".join(f"{name}: {value:.3g}" for name, value in taken.items()))
    (data / MADE).write_bytes(msgspec.json.encode({"estate": wanted, "taken": taken}))
    return taken


def measure(figures: dict[str, Any], estate: Estate, data: Path, wanted: Wanted, say: Say) -> None:
    """Put all figures over a made estate into a record, which keeps what is there if a step fails.

    Raises DifferentError."""
    taken = make(estate, data, say)
    inside = window(estate.now)
    rows, wide = rows_in(data / "plain", inside), widths(data / "plain")
    speed = child("bandwidth")
    figures |= {
        "estate": asdict(estate),
        "taken": taken,
        "machine": machine() | {"bytes_per_second": speed},
        "rows": {table: found["window"] for table, found in rows.items()},
        "least_bytes": {shape.name: least_bytes(shape, rows, wide) for shape in named(wanted.only)},
    }
    figures["sides"] = {}
    _sides(figures["sides"], estate, data, wanted, say)
    figures["disk"] = {name: _bytes_in(path) for name, path in _places(data).items()}
    agree(figures["sides"])
    if wanted.work:
        say("the store at work")
        figures["work"] = {}
        at_work(figures["work"], data, estate.now, wanted.users, wanted.seconds, portal=wanted.portal)


def _sides(found: dict[str, Any], estate: Estate, data: Path, wanted: Wanted, say: Say) -> None:
    for name in wanted.sides:
        found[name] = child("side", name=name, data=str(data), now=estate.now, only=wanted.only, least=wanted.rounds)
        if "missing" in found[name]:
            say(f"{name} is left out: {found[name]['missing']}")
            continue
        for shape, timing in found[name]["shapes"].items():
            say(f"{name:<15} {shape}  {timing['wall_ms']:>9.1f} ms  {timing['cpu_ms']:>9.1f} ms CPU")


def agree(sides: dict[str, Any]) -> None:
    """Raise DifferentError unless every side gave the same answer to every shape."""
    first: dict[str, tuple[str, str]] = {}
    for name, side in sides.items():
        for shape, timing in side.get("shapes", {}).items():
            other, known = first.setdefault(shape, (name, timing["fingerprint"]))
            if known != timing["fingerprint"]:
                raise DifferentError(f"{name} and {other} give different answers to {shape}")


def growth(whole: Estate, estates: Sequence[Estate], data: Path, wanted: Wanted, say: Say) -> list[dict[str, Any]]:
    """Our own figures over estates of several sizes, each in a folder of its own but for the one that is there."""
    found: list[dict[str, Any]] = []
    for estate in estates:
        folder = data if estate == whole else data.parent / f"{data.name}-{estate.samples}-{estate.devices}"
        make(estate, folder, say)
        found.append({"estate": asdict(estate), "sides": {}})
        _sides(found[-1]["sides"], estate, folder, wanted, say)
    return found


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    packages = ("polars", "pyarrow", "duckdb", "chdb")
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "packages": {name: importlib.metadata.version(name) for name in packages if importlib.util.find_spec(name)},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _places(data: Path) -> dict[str, Path]:
    places = {
        "store": data / "store",
        "parquet, time order": data / "plain/time",
        "parquet, our order": data / "plain/ids",
    }
    peers = {"duckdb": "duckdb/{}.db", "chdb": "chdb/{}"}
    for peer, form in peers.items():
        for order, said in (("time", "time order"), ("ids", "our order")):
            places[f"{peer}, {said}"] = data / form.format(order)
    return {name: path for name, path in places.items() if path.exists()}


def _bytes_in(path: Path) -> int:
    paths = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return sum(item.stat().st_size for item in paths)
