"""The measurement of a start runs, and refuses what it cannot measure.

Comes in: a small folder. Goes out: nothing. No figure is asserted, only that there is one for each kind of start.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOK = r"after [\d.]+ s \([\d.]+ s CPU\)"
FIGURE = re.compile(rf"after (.+): serving {TOOK}, first answer {TOOK}")


def measured(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.starts", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.slow
def test_a_small_folder(tmp_path: Path) -> None:
    done = measured("--data", str(tmp_path / "starts"), "--devices", "30", "--rows", "450", "--runs", "1")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head == "30 devices with open intervals, 400 rows that are not sealed"
    assert [match[1] for line in lines if (match := FIGURE.fullmatch(line))] == ["kill -9", "a clean stop"]


@pytest.mark.slow
@pytest.mark.parametrize(("option", "value"), [("--devices", "0"), ("--rows", "1000001"), ("--runs", "-1")])
def test_numbers_have_bounds(tmp_path: Path, option: str, value: str) -> None:
    done = measured("--data", str(tmp_path / "starts"), option, value)
    assert done.returncode == 2
    assert "is not 1 to 1,000,000" in done.stderr
    assert not (tmp_path / "starts").exists()
