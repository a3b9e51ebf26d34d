"""A folder in which a run has gone to some devices and was answered.

Comes in: uids, and what device `number` says of a run. Goes out: the run's id. Invariant: everything goes through the
control database's own calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from muster.clock import now
from muster.fleet.device import OUTPUT
from muster.fleet.portal import ACTION, HOUR, MANIFEST
from portal.settings import Settings
from storage.control.api import open_control
from storage.control.manifest import Manifest
from storage.control.outcomes import Outcome
from storage.control.runs import RunRequest
from storage.control.states import State


def answered(data: Path, uids: Sequence[str], says: Callable[[int, str], int]) -> str:
    """Make the run and its answers."""
    control = open_control(Settings(data).control, now=now())
    control.actions.save_action(msgspec.convert(MANIFEST, Manifest), by="test", now=now())
    run, _ = control.create_run(RunRequest(ACTION, tuple(uids), "test", now() + HOUR), now=now())
    for number, uid in enumerate(uids):
        control.dispatch.claim_work(uid, now=now())
        outcome = Outcome(State.SUCCESS, 0, {OUTPUT: says(number, run.id)})
        control.dispatch.record_finished(run.id, uid, 1, outcome, now=now())
    control.close()
    return run.id
