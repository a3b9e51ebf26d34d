"""Whether the tests notice a mutation: they are run over a copy of the project that has it.

In: a mutation. Out: `caught`, with the test that noticed, or `survived`. Tests run in the order in which they are
likely to notice, up to the first failure: those of the module itself, records of the language, then the rest.
Invariant: the copy is whole again after each trial, and its tests pass without a mutation; the project itself is never
touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mutants.mutations import Mutation, mutated, mutations

ROOT = Path(__file__).parent.parent.parent
SUBJECTS = ("nql", "engine")
COPIED = ("nql", "engine", "storage", "agent", "muster", "portal", "content", "docs", "tests", "pyproject.toml")
LANGUAGE = ("tests/nql/syntax", "tests/nql/semantics", "tests/nql/catalog", "tests/nql/test_api.py")
STAGES = (
    ("tests/logic/spec", "tests/logic/beyond", "tests/engine"),
    (*LANGUAGE, "tests/logic", "tests/plans"),
    ("tests/properties/test_any_text.py", "tests/properties/test_engines_agree.py", "tests/fuzz/test_texts.py"),
    ("tests/properties/test_partition.py", "tests/properties/test_windows.py", "tests/properties/test_limits.py"),
)
LEFT_OUT = ("tests/fuzz/test_cost.py",)
NEAR: Mapping[str, tuple[tuple[str, ...], ...]] = {  # where the tests of a part stand, if not everywhere
    "nql/editing/": (
        ("tests/nql/editing",),
        ("tests/plans", *LANGUAGE),
        ("tests/properties/test_format.py", "tests/properties/test_complete.py", "tests/fuzz"),
    ),
    "nql/nxql/": (("tests/logic/nxql",), (*LANGUAGE, "tests/properties/test_any_nxql.py")),
    "engine/formats.py": (("tests/engine", "tests/muster/test_shown.py"),),
    "engine/sql/": (("tests/logic", "tests/engine"), ("tests/properties/test_engines_agree.py",)),
}
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
        stages = dict.fromkeys(stage for part in (STAGES, *NEAR.values()) for stage in part)
        return self._stages(tuple(stages))

    def trial(self, mutation: Mutation) -> Outcome:
        """The tests with one mutation."""
        path = self.folder / mutation.path
        source = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutated(source, mutation.number), encoding="utf-8")
            return self._stages(self._own(mutation.path))
        finally:
            path.write_text(source, encoding="utf-8")

    def _own(self, path: str) -> tuple[tuple[str, ...], ...]:
        """The tests of a module, which mirror its path, and then those of its part."""
        module = Path(path)
        near = str(Path("tests") / module.parent / f"test_{module.name}")
        return ((near,), *next((stages for prefix, stages in NEAR.items() if path.startswith(prefix)), STAGES))

    def _stages(self, stages: tuple[tuple[str, ...], ...]) -> Outcome:
        """Stage after stage, each a process of its own: what is not needed is not even collected."""
        for stage in stages:
            paths = [path for path in stage if (self.folder / path).exists()]
            if paths and (found := self._run(paths)).caught:
                return found
        return Outcome(False, "")

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
        if done.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return Outcome(False, "")
        named = re.findall(r"^(?:FAILED|ERROR) (.+)$", done.stdout, re.MULTILINE)
        return Outcome(True, named[0][:160] if named else done.stdout[-160:])
