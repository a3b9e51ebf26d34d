"""Faults planted on purpose, and whether the simulation finds each.

`python -m tests.sim.planted --seeds 500` plays worlds over a copy of the project with one fault at a time, until one
world shows it. In: the faults below, each a text that stands once in a file and what takes its place. Out: the seed
that found each; exit code 1 if any was not found. Invariant: the project itself is never touched, and a fault whose
text no longer stands in its file is an error, not a pass.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = ("nql", "engine", "storage", "portal", "agent", "muster", "content", "tests")


@dataclass(frozen=True)
class Fault:
    """One fault: in `file`, `old` becomes `new`."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]


LEASE = """\
            leases.check(connection, LEASE, token)
            if not unchanged(connection, schedule):
                return [], []
"""
COME_AGAIN = "            return Seen.OVERTAKEN\n"
FAULTS = (
    Fault(
        "intent after start",
        "agent/core.py",
        (
            ("[e.StoreIntent(job)]", "[e.StartProcess(job), e.StoreIntent(job)]"),
            ("    return state, [e.StartProcess(job)]\n", "    return state, []\n"),
        ),
    ),
    Fault(
        "no attempt fence",
        "storage/control/dispatch.py",
        (
            ("return _older(connection, row, attempt, outcome.state, body, now), []", "pass"),
            ("max(outcome.started_at, row.claimed_at)", "outcome.started_at"),  # the next attempt may wait unclaimed
            ("row.started_at) or row.claimed_at", "row.started_at) or now"),
        ),
    ),
    Fault(
        "lease token unchecked",
        "storage/control/schedules.py",
        ((LEASE, LEASE.partition("\n")[2]),),
    ),
    Fault(
        "dedupe forgotten",
        "storage/control/outbox.py",
        (("if rows and rows[0].batch is not None:", "if False:"),),
    ),
    Fault(
        "once_every unchecked at claim",
        "storage/control/pacing.py",
        (("    if plan.once_every is None:\n        return False, []\n", "    return False, []\n"),),
    ),
    Fault(
        "copies unseen",
        "storage/control/enrolment.py",
        (('            _hold(connection, row, "trail", now)\n            return Seen.CLONED\n', COME_AGAIN),),
    ),
    Fault(
        "late greetings count",
        "storage/control/enrolment.py",
        (("            if row.step != before:", "            if False:"),),
    ),
    Fault(
        "steps only in memory",
        "agent/trail.py",
        (("files.replace(self._path, wire.encode(longer))", "pass"),),
    ),
)


def planted(fault: Fault, root: Path = ROOT) -> str:
    """The content of the fault's file with the fault in it. Raises LookupError where it does not fit any more."""
    text = (root / fault.file).read_text(encoding="utf-8")
    for old, new in fault.changes:
        if text.count(old) != 1:
            raise LookupError(f"{fault.name}: {text.count(old)} places in {fault.file} read {old!r}; mend the fault")
        text = text.replace(old, new)
    return text


def find(fault: Fault, seeds: int, jobs: int) -> tuple[int | None, str]:
    """The first seed found that shows the fault, and what is wrong there; None if none of so many does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy(fault, folder)
        command = [sys.executable, "-m", "tests.sim", "--seeds", str(seeds)]
        command += ["--jobs", str(jobs), "--failures", "1"]
        environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"^seed (\d+) failed: (.*)$", done.stdout, re.MULTILINE)
    if found is None and done.returncode != 0:
        raise RuntimeError(f"{fault.name}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    return (None, "") if found is None else (int(found[1]), found[2])


def _copy(fault: Fault, folder: Path) -> None:
    """The project with the fault: links to what is as it was, and a copy of the files on the way to the one that is
    not."""
    place = ROOT
    for part in Path(fault.file).parts:
        folder.mkdir(exist_ok=True)
        for other in place.iterdir():
            if other.name != part and other.name != "__pycache__" and (place != ROOT or other.name in TOP):
                (folder / other.name).symlink_to(other)
        place, folder = place / part, folder / part
    folder.write_text(planted(fault), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.sim.planted", description="Are planted faults found?")
    parser.add_argument("--seeds", type=int, default=500, help="the most seeds for each fault (500)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    parser.add_argument("--only", help="the fault of this name alone")
    options = parser.parse_args(arguments)
    missed = 0
    for fault in FAULTS:
        if options.only in (None, fault.name):
            seed, what = find(fault, options.seeds, options.jobs)
            missed += seed is None
            print(f"{fault.name}: {'not found' if seed is None else f'found by seed {seed}: {what[:150]}'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
