"""The portal's database and signing keys are an attacker's: no script that no trusted author signed runs on a device,
and what people are shown stays plain words.

Comes in: a real portal whose folder the attacker owns, a real agent enrolled under the standard policy before that.
Goes out: what the agent did, seen by a file that each script would leave. Invariant: every attack reaches the device as
an order that the pinned portal signed, and the device says why it does not run it; what the author signed runs before
and after.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements
from agent.identity import load_enrolment
from storage.control.campaign_definition import CampaignDefinition, Question
from storage.control.campaign_responses import Addressee, NewRequest
from storage.control.key_ring import public
from storage.control.runs import Run
from storage.control.states import State
from tests.authors import Signer
from tests.portal.agents.conftest import HOUR, AgentProcess, Served, agent, eventually, served

__all__ = ["agent", "served"]
pytestmark = pytest.mark.slow
MODES = [{"name": "mode", "allowed": ["look", "clean"]}]


@dataclass
class Attack:
    """An attacker at work: all of the portal, and nothing of its authors."""

    served: Served
    agent: AgentProcess
    mark: Path

    @property
    def evil(self) -> str:
        return f"echo evil >> {self.mark}"

    def sql(self, text: str, *values: object) -> None:
        """Write to the database, past every check of the portal."""
        with closing(sqlite3.connect(self.served.portal.settings.control, timeout=20)) as database:
            database.execute(text, values)
            database.commit()

    def refused(self, run: Run, why: str) -> None:
        """The order reaches the device, which says why it does not run it."""
        self.served.nudge(self.agent.device)
        ended = self.served.ended(run, self.agent.device)
        assert (ended.state, why in (ended.detail or "")) == (State.POLICY_DENIED, True), ended.detail
        assert not self.mark.exists()

    def honest(self, word: str) -> None:
        """What the author signed runs."""
        run = self.served.ask([self.agent.device], f'. "$MUSTER/output.sh"; muster_output string word {word}')
        self.served.nudge(self.agent.device)
        ended = self.served.ended(run, self.agent.device)
        assert (ended.state, ended.outputs) == (State.SUCCESS, {"word": word})


@pytest.fixture
def attack(served: Served, agent: AgentProcess, tmp_path: Path) -> Iterator[Attack]:
    made = Attack(served, agent, tmp_path / "evil")
    made.honest("before")
    yield made
    made.honest("after")
    assert not made.mark.exists()


def test_orders_signed_with_the_stolen_key(attack: Attack) -> None:
    attack.refused(attack.served.ask([attack.agent.device], attack.evil, signed=False), "no trusted author")


def test_an_author_of_the_attackers_own(attack: Attack) -> None:
    control, thief = attack.served.portal.control, Signer("thief")
    thief.add(control, now=attack.served.portal.clock())
    run = attack.served.ask([attack.agent.device], attack.evil, signed=False)
    action = control.actions.action("#test")
    thief.sign(control, action, now=attack.served.portal.clock())
    attack.refused(run, "no trusted author")


def test_an_author_for_whom_nobody_vouches(attack: Attack) -> None:
    control, thief, served = attack.served.portal.control, Signer("thief"), attack.served
    author = thief.add(control, now=served.portal.clock())
    trusted = next(one.id for one in control.authors.living() if one.key == served.author.public)
    forged = thief.key.sign(statements.endorsement_bytes(thief.public))
    attack.sql("UPDATE authors SET endorsed_by = ?, endorsement = ? WHERE id = ?", trusted, forged, author.id)
    served.post("/keys/rotate")  # a stolen key can name a successor; by it, the device fetches all that was forged
    newest = public(served.portal.keys.current)
    eventually(lambda: load_enrolment(attack.agent.folder).portal_key == newest)
    assert load_enrolment(attack.agent.folder).authors == [served.author.public]
    run = served.ask([attack.agent.device], attack.evil, signed=False)
    thief.sign(control, control.actions.action("#test"), now=served.portal.clock())
    attack.refused(run, "no trusted author")


def test_a_signature_of_something_else(attack: Attack) -> None:
    served, control = attack.served, attack.served.portal.control
    signed = control.authors.signatures("#test", control.actions.action("#test").version)[0]
    run = served.ask([attack.agent.device], attack.evil, signed=False)
    version = control.actions.action("#test").version
    attack.sql(
        "INSERT INTO action_signatures VALUES (?, ?, ?, ?, ?, ?, ?)",
        "#test", version, signed.author, signed.serial, signed.signature, 0, "x",
    )  # fmt: skip
    attack.refused(run, "no trusted author")
    attack.sql("DELETE FROM action_signatures WHERE version = ?", version)


def test_content_that_was_swapped(attack: Attack) -> None:
    served, control = attack.served, attack.served.portal.control
    run = served.ask([attack.agent.device], "echo good")
    action = control.actions.action("#test")
    swapped = action.content.replace("echo good", attack.evil)
    assert swapped != action.content
    attack.sql("UPDATE action_versions SET content = ? WHERE version = ?", swapped, action.version)
    attack.refused(run, "not the version")


def test_an_old_version_that_was_signed_once(attack: Attack) -> None:
    served, device = attack.served, attack.agent.device
    first = served.ask([device], "echo old; true")
    served.nudge(device)
    assert served.ended(first, device).state is State.SUCCESS
    old = served.portal.control.authors.signatures("#test", first.version)[0]
    attack.honest("newer")
    again = served.ask([device], "echo old; true", signed=False)
    assert again.version == first.version
    attack.refused(again, "newer version of the action ran here")
    attack.agent.stop()  # and a restart makes it forget nothing
    attack.agent.start()
    eventually(lambda: served.connected(device))
    attack.refused(served.ask([device], "echo old; true", signed=False), "newer version of the action ran here")
    attack.sql("UPDATE action_signatures SET serial = ? WHERE version = ?", old.serial + (1 << 40), first.version)
    attack.refused(served.ask([device], "echo old; true", signed=False), "no trusted author")
    attack.sql("DELETE FROM action_signatures WHERE version = ?", first.version)


def test_values_that_the_author_did_not_allow(attack: Attack) -> None:
    served, device = attack.served, attack.agent.device
    run = served.ask([device], f'[ "$1" = look ] || {attack.evil}', {"mode": "look"}, inputs=MODES)
    attack.sql("UPDATE runs SET parameters = ? WHERE id = ?", '{"mode":"evil"}', run.id)
    attack.refused(run, "not one that the action allows")


def test_a_question_that_leads_somewhere(attack: Attack) -> None:
    control, now, device = attack.served.portal.control, attack.served.portal.clock(), attack.agent.device
    question = {"label": "why", "text": "Why?", "kind": "text"}
    asked = CampaignDefinition("#ask", "Ask", "May we ask?", (msgspec.convert(question, Question),))
    control.campaigns.save(asked, by="account:admin", now=now)
    control.people_present.told(device, [f"{device}:0"], now=now)
    request = NewRequest("#ask", {}, now + HOUR, "admin")
    [response] = control.campaign_responses.send(request, [Addressee(f"{device}:0", "root")], now=now)
    assert response is not None
    content = {"nql_id": "#ask", "title": "Log in at https://evil.example", "questions": [question]}
    attack.sql("UPDATE campaign_requests SET content = ?", msgspec.json.encode(content).decode())
    attack.served.nudge(device)
    why = "a text of the questions holds an address"
    eventually(lambda: control.campaign_responses.response(response.id).detail == why)
    assert control.campaign_responses.response(response.id).shown_at is None


def test_a_portal_that_is_replaced(attack: Attack) -> None:
    """A succession from the stolen key leads the device to a key of the attacker's, and not to his scripts."""
    served = attack.served
    for _ in range(2):
        served.post("/keys/rotate")
    newest = public(served.portal.keys.current)
    eventually(lambda: load_enrolment(attack.agent.folder).portal_key == newest)
    attack.refused(served.ask([attack.agent.device], attack.evil, signed=False), "no trusted author")
    assert load_enrolment(attack.agent.folder).policy == "signed_trusted"


def test_a_key_that_is_no_successor(attack: Attack) -> None:
    served, before = attack.served, load_enrolment(attack.agent.folder).portal_key
    stranger = Ed25519PrivateKey.generate()
    run = served.ask([attack.agent.device], attack.evil, signed=False)
    ring = served.portal.keys
    own, ring._keys = ring.keys, (stranger,)  # the portal's process speaks with a key that it was never enrolled with
    ring._named.clear()
    try:
        attack.agent.stop()
        attack.agent.start()
        log = attack.agent.folder / "log"
        eventually(lambda: "not that of the portal that this device pinned" in log.read_text())
        assert served.execution(run, attack.agent.device).state is State.WAITING_ON_DEVICE
    finally:
        ring._keys = own
        ring._named.clear()
    eventually(lambda: served.connected(attack.agent.device))
    attack.refused(run, "no trusted author")
    assert load_enrolment(attack.agent.folder).portal_key == before
