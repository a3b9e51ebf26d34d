"""Whether the tests notice a mutation: they are run over a copy of the project that has it.

In: a mutation. Out: `caught`, with the test that noticed, or `survived`. Tests run in the order in which they are
likely to notice, up to the first failure: those of the module itself, the records of the language, then the rest.
Invariant: the copy is whole again after each trial, and its tests pass without a mutation; the project itself is never
touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutations import Mutation, mutated, mutations

ROOT = Path(__file__).parent.parent.parent
SUBJECTS = ("nql", "engine")
COPIED = ("nql", "engine", "storage", "agent", "muster", "portal", "content", "tests", "pyproject.toml")
SUITES = ("tests/logic", "tests/plans", "tests/nql", "tests/engine", "tests/properties", "tests/fuzz")
LEFT_OUT = ("tests/fuzz/test_cost.py",)
SECONDS = 900


@dataclass(frozen=True)
class Outcome:
    """What became of a mutation; `test` is the first that failed, empty if none did."""

    caught: bool
    test: str


def modules(root: Path = ROOT) -> list[str]:
    """The modules that are mutated, by path."""
    return sorted(str(path.relative_to(root)) for name in SUBJECTS for path in (root / name).rglob("*.py"))


def every_mutation(root: Path = ROOT) -> list[Mutation]:
    """All mutations of all modules."""
    return [found for path in modules(root) for found in mutations(path, (root / path).read_text(encoding="utf-8"))]


class Copy:
    """A copy of the project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "static"))
            elif source.exists():
                shutil.copy(source, target)

    def clean(self) -> Outcome:
        """The tests without any mutation."""
        return self._run(list(SUITES))

    def trial(self, mutation: Mutation) -> Outcome:
        """The tests with one mutation."""
        path = self.folder / mutation.path
        source = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutated(source, mutation.number), encoding="utf-8")
            return self._run([*self._own(mutation.path), *SUITES])
        finally:
            path.write_text(source, encoding="utf-8")

    def _own(self, path: str) -> list[str]:
        """The tests of a module or its folder, which mirror its path."""
        module = Path(path)
        near = Path("tests") / module.parent / f"test_{module.name}"
        return [str(near)] if (self.folder / near).exists() else []

    def _run(self, paths: list[str]) -> Outcome:
        options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=quick", "--no-header", "--tb=no"]
        left_out = [f"--deselect={path}" for path in LEFT_OUT]
        command = [sys.executable, "-m", "pytest", *options, *left_out, "-m", "not slow", *paths]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Outcome(True, "no end")
        if done.returncode == 0:
            return Outcome(False, "")
        named = re.findall(r"^(?:FAILED|ERROR) (.+)$", done.stdout, re.MULTILINE)
        return Outcome(True, named[0][:160] if named else done.stdout[-160:])
