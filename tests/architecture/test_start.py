"""Starting the command line and the query language loads none of the heavy third parties.

Comes in: a fresh interpreter that imports one module. Goes out: the heavy packages it loaded, which must
be none. `muster --help` and a completion would else pay for packages that they never use.
"""

import subprocess
import sys

import pytest

from tests.architecture.project import ROOT
from tests.architecture.rules import HEAVY

SHOW = "import sys, {module}; print(*(name for name in {heavy} if name in sys.modules))"


@pytest.mark.parametrize("module", ["nql.api", "muster.cli"])
def test_nothing_heavy_is_loaded(module: str) -> None:
    if not (ROOT / module.replace(".", "/")).with_suffix(".py").exists():
        pytest.skip(f"{module} is not written yet")
    code = SHOW.format(module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_a_heavy_one_would_be_seen() -> None:
    code = SHOW.format(module="pyarrow.dataset", heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pyarrow.dataset" in done.stdout.split()
