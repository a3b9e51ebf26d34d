"""What an action says of some platforms only: a device takes the inputs and outputs of its own.

Comes in: orders and jobs with inputs and outputs for other platforms. Goes out: a job's inputs, how a script ended.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from agent import wire
from agent.orders import Job, examine
from tests.agent.scripts import job, run
from tests.agent.test_orders import NOW, content, order, trust

INPUTS = [
    {"name": "first", "platforms": ["windows"], "default": "w"},
    {"name": "mode", "allowed": ["look", "clean"], "platforms": ["linux", "macos"]},
    {"name": "path", "default": "/tmp"},
]
TEXT = """
. "$MUSTER/output.sh"
muster_output string mine "$1 $# ${MUSTER_INPUT_OTHER-none}"
"""


def test_inputs_of_other_platforms_take_no_place() -> None:
    made = examine(order(content(inputs=INPUTS)), trust(), NOW)
    assert isinstance(made, Job)
    assert list(made.inputs.items()) == [("mode", "clean"), ("path", "/tmp")]


def test_outputs_of_other_platforms_are_not_declared_here(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    work = job(TEXT, outputs={"mine": "string"}, inputs={"path": "/x"})
    assert run(tmp_path, work).outputs == {"mine": "/x 1 none"}
    theirs = (wire.Output("mine", "string", ("windows", "macos")),)
    ended = run(tmp_path, replace(work, content=msgspec.structs.replace(work.content, outputs=theirs)))
    assert (ended.state, ended.outputs) == ("failure", {})
    assert "output 'mine' is not declared" in ended.detail
