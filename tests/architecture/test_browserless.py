"""A run without a browser says how many tests it left out, and fails where CI=true.

Comes in: a pytest run of its own over one browser test and one other, with a PATH that holds nothing.
Goes out: its exit code and last lines. Invariant: the same conftest decides here as in the real runs.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.project import ROOT

TESTS = """
import pytest

@pytest.mark.browser
def test_page(chromium): ...

def test_other(): ...
"""


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_a_browser(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "test_pages.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser")
    environment = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "1 browser tests left out: no Chromium on PATH" in done.stdout
    assert "1 passed, 1 deselected" in done.stdout
