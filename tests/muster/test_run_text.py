"""A run and its executions as text: why a device waits, units, plurals, devices of one name."""

from __future__ import annotations

from typing import Any

import pytest

from muster.run_text import device_names, execution_rows, head, run_row, state_text, wave_row
from muster.runs import Run, run_of

AT = "2026-11-22T22:00:00.123456Z"
SAID: dict[str, Any] = {
    "id": "r1", "action": "#x", "target": {"text": None, "count": 1}, "parameters": {}, "requested_by": "ann",
    "requested_at": "2026-11-22T12:00:00.123456Z", "expires_at": AT, "counts": {"waiting_on_device": 1}, "held": 0,
    "complete": False, "state": "running", "state_detail": None, "plan": {}, "skipped": 0, "waves": [],
    "next_at": None, "opens_at": None,
}  # fmt: skip
RECORD: dict[str, Any] = {
    "device": {"uid": "0193-aaaaaa", "name": "pc-1", "simulated": False}, "state": "waiting_on_device", "wave": 1,
    "detail": None, "attempt": 1, "begins_at": None, "waits_for": None, "duration": None, "exit_code": None,
    "outputs": {}, "error": None,
}  # fmt: skip


def run(**changes: Any) -> Run:
    return run_of(SAID | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "waiting on device"),
        ({"state": "success"}, "success"),
        ({"waits_for": "wave", "wave": 3}, "held: wave 3 of 4"),
        ({"waits_for": "run"}, "held: the run is halted"),
        ({"waits_for": "window", "begins_at": AT}, "held until 2026-11-22 22:00:00 UTC (window)"),
        ({"waits_for": "attempt", "begins_at": AT}, "tries again at 2026-11-22 22:00:00 UTC"),
    ],
)
def test_a_device_that_waits_says_for_what(changes: dict[str, Any], words: str) -> None:
    assert state_text(run(plan={"waves": ["1", "5%", "25%", "100%"]}), RECORD | changes) == words


def test_devices_of_one_name_are_told_apart() -> None:
    def device(uid: str, name: str, simulated: bool = False) -> dict[str, Any]:
        return {"uid": uid, "name": name, "simulated": simulated}

    names = device_names([device("0193-aaaaaa", "a"), device("0193-bbbbbb", "a", True), device("0193-cccccc", "c")])
    assert list(names.values()) == ["a ...aaaaaa", "a ...bbbbbb (simulated)", "c"]


def test_values_have_the_units_of_their_types() -> None:
    outputs = {"freed": 5 << 30, "took": 90.5, "at": AT, "share": 12.25, "speed": 2_500_000, "name": "x", "odd": 5}
    types = {
        "freed": "size",
        "took": "duration",
        "at": "date_time",
        "share": "ratio",
        "speed": "bitrate",
        "name": "string",
    }
    declared = [{"name": name, "type": kind} for name, kind in types.items()]
    [row] = execution_rows(run(), [RECORD | {"duration": 0.25, "outputs": outputs}], declared)
    assert row["took"] == "250ms"
    assert row["outputs"] == (
        "freed=5.0 GB, took=1min 30s, at=2026-11-22 22:00:00, share=12.2 %, speed=2.5 Mbps, name=x, odd=5"
    )


def test_the_head_of_a_run() -> None:
    assert head(run()) == [
        "#x  run r1",
        "asked 2026-11-22 12:00:00 UTC by ann, for: 1 device",
        "devices may begin until 2026-11-22 22:00:00 UTC",
    ]
    held = head(run(target={"text": None, "count": 1200}, opens_at=AT, next_at=AT, skipped=1, plan={"gate": "devices"}))
    assert held[1].endswith("for: 1,200 devices")
    assert held[3:] == [
        "held until 2026-11-22 22:00:00 UTC (window)",
        "next wave at 2026-11-22 22:00:00 UTC if the gate holds",
        "1 device left out: they ran this action not long ago",
    ]
    assert head(run(state="halted", state_detail="ann: wrong"))[2] == "halted: ann: wrong"
    assert (
        run_row(SAID | {"counts": {"waiting_on_device": 3}, "held": 2})["counts"] == "2 held back, 1 waiting on device"
    )
    assert run_row(SAID)["requested_at"] == "2026-11-22 12:00:00 UTC"
    assert wave_row({"number": 2, "counts": {}, "held": 3})["counts"] == "3 held back"
