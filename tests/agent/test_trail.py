"""The trail of a state folder: a step more for each greeting that the portal saw, and never one too few.

Comes in: folders, what a portal says of the newest step. Goes out: the trails to greet with. Invariant: what is said is
on the disk before.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from agent import events as e
from agent import wire
from agent.backoff import SECOND
from agent.core import step
from agent.state import State
from agent.statements import step_name
from agent.trail import NAME, Trail
from tests.agent.test_orders import trust


def test_a_step_follows_what_the_portal_saw(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    assert trail.newest == ""
    [first] = trail.after("")
    assert trail.after(step_name("something else")) == (first,)  # the portal has not seen it
    assert trail.after(step_name(first))[:-1] == (first,)
    assert Trail(tmp_path).steps == trail.steps
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    for _ in range(100):
        trail.after(step_name(trail.newest))
    assert len(trail.steps) == wire.MOST_STEPS
    assert msgspec.convert(list(trail.steps), wire.Steps)
    assert len(set(trail.steps)) == wire.MOST_STEPS


def test_a_copy_of_the_folder_goes_another_way(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    trail = Trail(tmp_path / "a")
    trail.after("")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    copy = Trail(tmp_path / "b")
    last = step_name(trail.newest)
    assert copy.after(last)[0] == trail.after(last)[0]
    assert copy.newest not in trail.steps
    assert trail.newest not in copy.steps


def test_a_full_disk_keeps_nobody_out(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    first = trail.after("")
    (tmp_path / f"{NAME}.part").mkdir()  # nothing can be written there
    assert trail.after(step_name(first[0])) == first == Trail(tmp_path).steps


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'["short"]', b"\xff"])
def test_what_cannot_be_read_begins_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert Trail(tmp_path).steps == ()


def test_an_agent_that_is_held_says_so_once_and_keeps_what_waits() -> None:
    report = wire.Report("r1", 1, "n1", "success", msgspec.Raw(b"{}"), bytes(64))
    state, _ = step(State(trust(), unsent=(report,), batches=1), e.ChannelOpened(), 0)
    state, said = step(state, e.Failed("batch", e.Failure.of(409), 60 * SECOND, 1), 0)
    assert [one.level for one in said if isinstance(one, e.Log)] == ["error"]
    state, said = step(state, e.ChannelClosed(e.Failure.CLONED, 1, 60 * SECOND), 0)
    assert (said, state.cloned, state.unsent, state.batches) == ([], True, (report,), 1)
    assert not [one for one in step(state, e.Tick(), 59 * SECOND)[1] if isinstance(one, e.OpenChannel)]
    state, said = step(state, e.Tick(), 120 * SECOND)
    assert isinstance(said[0], e.OpenChannel)
    assert not step(state, e.ChannelOpened(), 121 * SECOND)[0].cloned
