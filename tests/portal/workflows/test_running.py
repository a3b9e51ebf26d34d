"""Workflows at work in a portal: steps, ways out of them, rights, cancelling, what queries and other APIs see."""

from __future__ import annotations

import pytest

from storage.control.states import State
from tests.portal.conftest import API, SECOND, House, Play
from tests.portal.workflows.scenes import begin, ready, report, stands, tick

pytestmark = pytest.mark.slow
ROWS = "workflow.executions | list status, outcome, outcome_details, workflow.name, device.name, duration_seconds"


def test_from_action_over_condition_and_wait_to_the_end(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await ready(house)
        device = (await ann.post(f"{API}/query", json={"text": "devices | list uid"})).json()["rows"][0][0]
        [one] = await begin(ann, device, parameters={"path": "/opt"})
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["detail"]) == ("in_progress", "step clear runs #clear_cache")
        run = (await ann.get(f"{API}/runs/{said['run']}")).json()["run"]
        assert (run["trigger"], run["parameters"], run["requested_by"]) == ("workflow", {"path": "/opt"}, "ann")
        rows = (await ann.post(f"{API}/query", json={"text": ROWS})).json()["rows"]
        assert rows == [["in_progress", None, None, "Make room", "pc-1", None]]

        first = await report(house, ann, one, State.SUCCESS, freed=12, files=3)
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["detail"], said["run"]) == ("waiting", "step pause waits", None)
        house.time.now += 599 * SECOND
        await tick(house)
        assert (await stands(ann, one))["step"] == "pause"
        house.time.now += SECOND
        await tick(house)
        second = (await stands(ann, one))["run"]
        assert second != first
        assert (await ann.get(f"{API}/runs/{second}")).json()["run"]["parameters"] == {"path": "3"}
        await report(house, ann, one, State.SUCCESS)
        await tick(house)
        said = await stands(ann, one)
        assert (said["state"], said["outcome"], said["outcome_detail"]) == ("success", "action_taken", "there is room")
        await house.settle()
        rows = (await ann.post(f"{API}/query", json={"text": ROWS})).json()["rows"]
        assert rows == [["success", "action_taken", "there is room", "Make room", "pc-1", 600]]
        assert len((await ann.get(f"{API}/runs")).json()["runs"]) == 2

    play(scene)
