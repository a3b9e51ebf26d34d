"""One measurement in a process of its own, so that neither memory nor caches of another one are in it.

In: a job and its arguments as JSON on standard input. Out: its figures as JSON in the file that the arguments name.
Invariant: whoever starts a child reads nothing but that file; what an engine prints is of no account.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.shapes import serving
from benchmarks.shapes.measuring import bandwidth, measured
from benchmarks.shapes.shapes import named
from benchmarks.shapes.sides import SIDES, UnavailableError, prepare


def side(name: str, data: str, now: int, only: str | None, least: int) -> dict[str, Any]:
    """All shapes on one side."""
    try:
        prepare(name, Path(data))
        opened = SIDES[name](Path(data), now)
    except UnavailableError as error:
        return {"missing": str(error)}
    try:
        return {
            "shapes": {shape.name: measured(partial(opened.ask, shape), least, opened.settle) for shape in named(only)}
        }
    finally:
        opened.close()


JOBS: Mapping[str, Callable[..., Any]] = {
    "side": side,
    "bandwidth": bandwidth,
    "first": serving.first,
    "fill": serving.fill,
    "ingest": serving.ingest,
    "users": serving.users,
}


def main() -> None:
    """Do the job."""
    job = msgspec.json.decode(sys.stdin.readline())
    figures = JOBS[job["job"]](**job["arguments"])
    Path(job["out"]).write_bytes(msgspec.json.encode(figures))


if __name__ == "__main__":
    main()
