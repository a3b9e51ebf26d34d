"""Two machines with one identity, over real sockets and with real agents: seen, held, and served again by decision.

Comes in: a portal on a port, devices byte by byte, agents whose state folder was copied. Goes out: how connections end,
what is handed out, what the agent says. Invariant: nobody gets an order from the moment at which the second machine is
seen until somebody has decided.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from agent import wire, wire_channel
from storage.control.states import State
from tests.portal.agents import device as by_hand
from tests.portal.agents.conftest import ROOT, AgentProcess, Served, eventually
from tests.portal.agents.peer import Device, enrolled
from tests.portal.agents.test_batches import device_row
from tests.portal.agents.test_work import ask
from tests.portal.conftest import House, Play

A, B, C = (letter * 12 for letter in "abc")


@pytest.fixture
def device(served: Served) -> Iterator[Device]:
    made = enrolled(served.url, served.keys()[0])
    yield made
    made.close()


def stands(served: Served, device: Device, step: str) -> None:
    """Wait until the portal has seen a step."""
    enrolment = served.portal.control.enrolment
    eventually(lambda: (found := enrolment.device(device.told.device)) and found.step == step)


@pytest.mark.slow
def test_who_came_before_has_to_come_again_and_shows(served: Served, device: Device) -> None:
    first = device.connect(A)
    stands(served, device, A)
    copy = device.connect(A, B)
    assert first.ended() == 1000
    stands(served, device, B)
    run = served.ask([device.told.device], "true")
    assert device.connect(A).ended() == 4409
    assert copy.ended() == 4409
    [one] = eventually(lambda: [one for one in served.portal.control.presence.rows_after(0) if one["end_time"]])
    assert one["reason"] == "cloned"
    refused = device.dial()
    assert (refused.status, refused.given["retry-after"]) == (409, "60")
    assert wire.SIGNATURE_HEADER.lower() in refused.given
    for path, body in ((wire.WORK, wire.encode(wire.Pull(2, step=B))), (wire.BATCHES, b"")):
        answer = device.post(path, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cloned")
    assert served.execution(run, device.told.device).waits
    served.post(f"/devices/{device.told.device}/release", {})
    assert device.connect(A, B, C).told() == wire_channel.Nudge()
    orders = json.loads(device.post(wire.WORK, wire.encode(wire.Pull(2, step=C))).content)["orders"]
    assert [order["run"] for order in orders] == [run.id]


def test_one_machine_whose_connections_overlap_is_served(served: Served, device: Device) -> None:
    half_open = device.connect(A)
    stands(served, device, A)
    for trail in ((A,), (A, B), (A, B), (A, B, C)):
        peer = device.connect(*trail)
        stands(served, device, trail[-1])
    assert half_open.ended() == 1000
    served.nudge(device.told.device)
    assert peer.told() == wire_channel.Nudge()
    assert served.portal.control.enrolment.cloned() == []


def test_orders_are_for_who_came_last(play: Play) -> None:
    async def scene(house: House) -> None:
        one = await by_hand.enrolled(house)
        uid, enrolment = one.told.device, house.portal.control.enrolment
        ask(house, one)
        enrolment.greet(uid, (A,), before=None, now=house.time.now)
        for step in ("", B, "x" * 255):
            assert (await one.pull(step=step)).orders == []
        [order] = (await one.pull(step=A)).orders
        assert order.device == uid
        assert enrolment.cloned() == []  # a pull that comes late proves nothing

    play(scene)


def test_two_batches_under_one_number(play: Play) -> None:
    async def scene(house: House) -> None:
        one = await by_hand.enrolled(house)
        for _ in range(2):
            answer = await one.store(device_row())
            assert answer.status_code == 200, answer.text
        assert answer.json()["duplicate"] is True
        assert house.portal.control.enrolment.cloned() == []
        assert by_hand.code(await one.store(device_row("another"))) == (409, "cloned")
        assert [held.uid for held in house.portal.control.enrolment.cloned()] == [one.told.device]
        assert by_hand.code(await one.store(device_row(), 2)) == (409, "cloned")

    play(scene)


def says(agent: AgentProcess) -> bool:
    """Whether an agent says that it is held, in its log and when asked."""
    command = [sys.executable, "-m", "agent", "status", "--state", str(agent.folder)]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    text = "another machine goes by this device's identity"
    return text in asked and text in (agent.folder / "log").read_text()


@pytest.mark.slow
def test_a_copied_machine_beside_the_first(served: Served, agent: AgentProcess) -> None:
    eventually((agent.folder / "trail.json").exists)
    other = agent.folder.with_name("copy")
    shutil.copytree(agent.folder, other, ignore=shutil.ignore_patterns("log"))
    copy = AgentProcess(other, agent.device)
    copy.start()
    try:
        eventually(served.portal.control.enrolment.cloned, 40)
        run = served.ask([agent.device], "true")
        for one in (agent, copy):
            eventually(partial(says, one))
        assert served.execution(run, agent.device).waits
    finally:
        copy.stop(signal.SIGKILL)
    served.post(f"/devices/{agent.device}/release", {})
    agent.stop()
    agent.start()
    assert served.ended(run, agent.device).state is State.SUCCESS
    assert served.portal.control.enrolment.cloned() == []


@pytest.mark.slow
def test_a_machine_that_was_set_back(served: Served, agent: AgentProcess) -> None:
    agent.stop()
    backup = agent.folder.with_name("backup")
    shutil.copytree(agent.folder, backup)
    for _ in range(2):  # it is up and down a while, and nothing is held
        agent.start()
        eventually(lambda: served.connected(agent.device))
        agent.stop(signal.SIGKILL)
        eventually(lambda: not served.connected(agent.device))
    assert served.portal.control.enrolment.cloned() == []
    shutil.rmtree(agent.folder)
    backup.rename(agent.folder)
    agent.start()
    eventually(served.portal.control.enrolment.cloned)
    eventually(lambda: "was set back to an older state" in (agent.folder / "log").read_text())
