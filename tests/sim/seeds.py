"""Worlds by their seeds: one with its story, or many in several processes, resumable.

In: arguments of a command line. Out: an exit code, lines on standard output. Invariant: a seed noted as reached was
played and judged, as was every one before it; the processes share nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from portal.logs import configure
from tests.progress import Proof, read, write
from tests.sim import story
from tests.sim.loop import run
from tests.sim.world import World

MEMORY = Path("/dev/shm")
MOST_FAILURES = 5
PIECE = 20


@dataclass(frozen=True)
class Verdict:
    """What was seen of one seed."""

    seed: int
    problems: list[str]
    counts: Counter[str]
    story: list[str]


def play(seed: int) -> Verdict:
    """Play the world of a seed."""
    configure("critical")
    folder = Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        world = run(seed, lambda: _whole(seed, folder))
    finally:
        shutil.rmtree(folder)
    ledger = world.ledger
    return Verdict(seed, ledger.problems, ledger.counts, ledger.story)


async def _whole(seed: int, folder: Path) -> World:
    world = World(seed, folder)
    try:
        await story.play(world)
    except Exception as error:
        world.ledger.problem(f"the story broke off: {error!r}")
        if "--seed" in sys.argv:
            raise
    finally:
        world.close()
    return world


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.sim", description="Seeded simulation of the portal and 50 devices.")
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds in all (500)")
    parser.add_argument("--first", type=int, default=0, help="the seed to begin with (0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    parser.add_argument("--failures", type=int, default=MOST_FAILURES, help="stop after so many failing seeds (5)")
    parser.add_argument("--progress", type=Path, help="where to note how far it has come")
    parser.add_argument("--seed", type=int, help="this seed alone, with its story")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _alone(options.seed)
    return _many(options)


def _alone(seed: int) -> int:
    verdict = play(seed)
    print("\n".join(verdict.story))
    print(f"seed {seed}: {dict(verdict.counts)}")
    for text in verdict.problems:
        print(f"PROBLEM: {text}")
    return 1 if verdict.problems else 0


def _many(options: argparse.Namespace) -> int:
    proof, first, seeds = read(options.progress), options.first, options.seeds
    step = PIECE if options.failures > 1 else 2 * options.jobs
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        while proof.reached < seeds and len(proof.failures) < options.failures:
            for verdict in pool.map(play, range(first + proof.reached, first + min(proof.reached + step, seeds))):
                _note(proof, verdict)
            write(options.progress, proof)
            print(f"simulation: {proof.reached} of {seeds} seeds, {dict(sorted(proof.counts.items()))}", flush=True)
    print(f"simulation: {proof.reached} seeds reached, {len(proof.failures)} failed")
    return 1 if proof.failures else 0


def _note(proof: Proof, verdict: Verdict) -> None:
    proof.reached += 1
    proof.counts.update(verdict.counts)
    if verdict.problems:
        said = "; ".join(verdict.problems[:5])
        proof.failures.append((verdict.seed, said[:2000]))
        print(f"seed {verdict.seed} failed: {said}\n  alone: python -m tests.sim --seed {verdict.seed}", flush=True)
