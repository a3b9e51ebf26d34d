"""Whatever people, power, disks, clocks and the network do: every execution ends once and truthfully.

Comes in: a few seeds; `python -m tests.sim` plays many. Goes out: that no promise was broken, and that one seed gives
one story. What is judged stands in `judge`, and that it is noticed when the product breaks it in `planted`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sim import seeds
from tests.sim.planted import FAULTS, ROOT, Fault, planted

SEEDS = range(8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_kept(seed: int) -> None:
    verdict = seeds.play(seed)
    assert verdict.problems == []
    assert verdict.counts["executions"] > 0
    assert verdict.counts["looks"] > 0


@pytest.mark.slow
def test_one_seed_gives_one_story() -> None:
    first, second = seeds.play(11), seeds.play(11)
    assert first.story == second.story
    assert first.counts == second.counts


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_still_fits_its_place(fault: Fault) -> None:
    assert planted(fault) != (ROOT / fault.file).read_text(encoding="utf-8")


@pytest.mark.slow
def test_many_seeds_go_on_where_they_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = tmp_path / "progress.json"
    assert seeds.main(["--seeds", "1", "--progress", str(progress)]) == 0
    assert seeds.main(["--seeds", "2", "--progress", str(progress)]) == 0
    assert "2 seeds reached, 0 failed" in capsys.readouterr().out
    assert json.loads(progress.read_text())["reached"] == 2
