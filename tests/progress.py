"""Long proofs: numbered cases, one after the other, that go on where they stopped.

In: a name, the arguments of a command line (`--count N --progress FILE --only NUMBER`), and what one case is. Out: a
`Proof` with the number reached, what was counted, and the failures; it is printed while it runs and noted in the
progress file. Invariant: a case noted as done was checked, and every number below the one reached was noted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

EVERY = 10.0  # seconds between notes
MOST_FAILURES = 20


@dataclass
class Proof:
    """How far a proof has come. `failures` holds the number and the first lines of each case that failed."""

    reached: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def count(self, what: str, times: int = 1) -> None:
        """Count something about a case."""
        self.counts[what] += times


def proof(name: str, arguments: Sequence[str], one: Callable[[int, Proof], None], *, count: int) -> Proof:
    """Run cases up to a number, resumed from a progress file. Failures are printed and kept; the proof goes on."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--count", type=int, default=count, help="how many cases in all")
    parser.add_argument("--progress", type=Path, help="where to note how far it has come")
    parser.add_argument("--only", type=int, help="this case alone, its error as it comes")
    options = parser.parse_args(arguments)
    if options.only is not None:
        one(options.only, state := Proof(reached=1))
        return state
    state = read(options.progress)
    began, first, noted = time.monotonic(), state.reached, time.monotonic()
    while state.reached < options.count and len(state.failures) < MOST_FAILURES:
        _one(state, one)
        if time.monotonic() - noted > EVERY or state.reached == options.count:
            noted = time.monotonic()
            write(options.progress, state)
            rate = (state.reached - first) / max(1e-9, noted - began)
            print(f"{name}: {state.reached} of {options.count}, {rate:.0f} a second, {dict(state.counts)}", flush=True)
    print(f"{name}: {state.reached} reached, {len(state.failures)} failed")
    return state


def _one(state: Proof, one: Callable[[int, Proof], None]) -> None:
    try:
        one(state.reached, state)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        state.failures.append((state.reached, text[:2_000]))
        print(f"case {state.reached} failed: {text[:4_000]}", flush=True)
    state.reached += 1


def read(path: Path | None) -> Proof:
    """The state noted in a file, a new one if there is none."""
    if path is None or not path.exists():
        return Proof()
    noted = json.loads(path.read_text(encoding="utf-8"))
    failures = [(number, text) for number, text in noted["failures"]]
    return Proof(noted["reached"], Counter(noted["counts"]), failures)


def write(path: Path | None, state: Proof) -> None:
    """Note the state in a file, whole or not at all."""
    if path is None:
        return
    text = json.dumps({"reached": state.reached, "counts": state.counts, "failures": state.failures}, indent=1)
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
