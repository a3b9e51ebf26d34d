"""Mutants of the language and its engines, drawn by chance from all there are, and whether the tests catch them.

`python -m tests.mutants --count 50 --seed 1 --progress FILE` prints each with the test that caught it, and the
counts; it goes on where it stopped. Survivors that change nothing are listed with the reason in `equivalent.json`; any
other survivor is a missing test, and the exit code is 1. Invariant: the draw depends on the sources and the seed alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.equivalent import reason
from tests.mutants.mutations import Mutation
from tests.mutants.trials import Copy, Outcome, every_mutation


def drawn(count: int, seed: int) -> list[Mutation]:
    """So many of all mutations. Each has a lot of its own, so that a change elsewhere draws few others."""
    seen: Counter[str] = Counter()
    lots: list[tuple[str, Mutation]] = []
    for mutation in every_mutation():
        said = f"{mutation.path} {mutation.function} {mutation.before} {mutation.after}"
        lots.append((hashlib.sha256(f"{seed} {seen[said]} {said}".encode()).hexdigest(), mutation))
        seen[said] += 1
    return [mutation for _, mutation in sorted(lots, key=lambda lot: lot[0])][:count]


def main(arguments: Sequence[str]) -> int:
    """Try the mutants drawn. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.mutants")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--progress", type=Path)
    parser.add_argument("--clean", action="store_true", help="first see that the tests pass without a mutant")
    options = parser.parse_args(arguments)
    noted: dict[str, str] = {}
    if options.progress is not None and options.progress.exists():
        noted = json.loads(options.progress.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        project = Copy(Path(folder))
        if options.clean and (found := project.clean()).caught:
            print(f"the tests fail without a mutant: {found.test}")
            return 2
        counts: Counter[str] = Counter()
        for number, mutation in enumerate(drawn(options.count, options.seed), 1):
            outcome = noted.get(mutation.key, "")
            if not outcome or outcome == "survived":
                outcome = said(mutation, project)
            noted[mutation.key] = outcome
            if options.progress is not None:
                options.progress.write_text(json.dumps(noted, indent=1), encoding="utf-8")
            counts[outcome.split(":")[0]] += 1
            print(f"{number} of {options.count}: {mutation.key}\n    {outcome}", flush=True)
    print(f"{sum(counts.values())} mutants of {len(every_mutation())}: {dict(counts)}")
    return 1 if counts["survived"] else 0


def said(mutation: Mutation, project: Copy) -> str:
    """What became of a mutation, in words."""
    if why := reason(mutation):
        return f"equivalent: {why}"
    outcome: Outcome = project.trial(mutation)
    return f"caught: {outcome.test}" if outcome.caught else "survived"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
