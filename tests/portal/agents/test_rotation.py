"""The portal's key is rotated: who is connected follows at once, who was away follows when it comes back.

Comes in: a portal on a port, real agents. Goes out: what each agent pinned, and runs that come back. Invariant: nobody
enrols again, and nothing that a device does not pin by then is believed.
"""

from __future__ import annotations

import pytest

from agent.identity import load_enrolment
from storage.control.key_ring import public
from storage.control.states import State
from tests.portal.agents.conftest import AgentProcess, Served, eventually


def runs(served: Served, agent: AgentProcess) -> bool:
    run = served.ask([agent.device], "true")
    served.nudge(agent.device)
    return served.ended(run, agent.device).state is State.SUCCESS


@pytest.mark.slow
def test_every_device_follows(served: Served, agent: AgentProcess) -> None:
    before = load_enrolment(agent.folder).portal_key
    served.post("/keys/rotate")
    newest = public(served.portal.keys.current)
    assert newest != before
    eventually(lambda: load_enrolment(agent.folder).portal_key == newest)  # it is connected, and hears of it
    assert runs(served, agent)

    agent.stop()  # and now it is away, twice
    served.post("/keys/rotate")
    served.post("/keys/rotate")
    newest = public(served.portal.keys.current)
    agent.start()
    eventually(lambda: load_enrolment(agent.folder).portal_key == newest)
    eventually(lambda: served.connected(agent.device))
    assert runs(served, agent)
    rotations = [one for one in served.portal.control.audit.latest(200) if one.action == "portal_key.rotated"]
    assert len(rotations) == 3


@pytest.mark.slow
def test_a_device_that_has_not_followed_yet_is_served(served: Served, agent: AgentProcess) -> None:
    agent.stop()
    first = load_enrolment(agent.folder).portal_key
    waiting = served.ask([agent.device], "true")
    served.portal.keys.rotate(lambda key: None)  # nothing tells it: the configuration is as it was
    agent.start()
    assert served.ended(waiting, agent.device).state is State.SUCCESS
    assert load_enrolment(agent.folder).portal_key == first


@pytest.mark.slow
def test_authors_come_and_go_by_configuration(served: Served, agent: AgentProcess) -> None:
    assert runs(served, agent)
    known = next(one for one in served.portal.control.authors.living() if one.key == served.author.public)
    served.delete(f"/authors/{known.id}")
    eventually(lambda: load_enrolment(agent.folder).removed == [served.author.public])
    run = served.ask([agent.device], "echo a draft by now", signed=False)
    served.nudge(agent.device)
    ended = served.ended(run, agent.device)
    assert (ended.state, "no trusted author" in (ended.detail or "")) == (State.POLICY_DENIED, True)
