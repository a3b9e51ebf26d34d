"""Compares what the portal stored with what the devices must have produced.

In: the folder and the portal of a load, the numbers of its devices. Out: what is wrong, in words; nothing where all is
right. Invariant: what is expected is computed from the numbers alone, never read from where it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from muster.api import Api
from muster.clock import now
from muster.fleet.device import OUTPUT, result_of, value_of
from portal.settings import Settings
from storage.control.api import Control, open_control

MOST = 20  # complaints of one kind


@contextmanager
def reading(data: Path) -> Iterator[Control]:
    """The control database beside the portal that runs."""
    control = open_control(Settings(data).control, now=now())
    try:
        yield control
    finally:
        control.close()


def enrolled_agents(data: Path) -> list[str]:
    """The uids of the real agents, from their folders."""
    from_folders = sorted((data / "agents").glob("agent-*/enrolment.json"))
    return [_device(path) for path in from_folders]


def results(data: Path, run: str, uids: Sequence[str]) -> list[str]:
    """What is wrong with the executions of a run that went to all these devices."""
    wrong: list[str] = []
    with reading(data) as control:
        for number, uid in enumerate(uids):
            one = control.executions.execution(run, uid)
            expected = {OUTPUT: result_of(number, run)}
            if one.state.value != "success" or dict(one.outputs) != expected or one.attempt != 1:
                wrong.append(f"{uid}: {one.state.value} {dict(one.outputs)} instead of success {expected}")
    return wrong[:MOST]


def spent(api: Api) -> float:
    """What the rows of all devices add up to, in seconds, as a query says it."""
    text = (
        'session.events during past 7d | where device.name == "load-*" | summarize spent = user_interaction_time.sum()'
    )
    ((found,),) = api.post("/query", {"text": text}, text=text)["rows"]
    return float(found or 0)


def telemetry(found: float, numbers: Sequence[int], rows: int) -> list[str]:
    """What is wrong with the sum of so many rows of each of these devices."""
    expected = sum(value_of(number, place) for number in numbers for place in range(rows)) / 1e6
    return [] if abs(found - expected) < 1e-3 else [f"telemetry: {found} seconds instead of {expected}"]


def _device(path: Path) -> str:
    return str(json.loads(path.read_text())["device"])
