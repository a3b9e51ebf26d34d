"""The portal asks a person at a real agent with a real terminal: his answers become rows of `campaign.responses`.

Comes in: a portal, an agent process, a shell on a pseudo-terminal. Goes out: responses and answers to queries.
Invariant: whoever asks names the person as the tables know him.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.campaigns.sent import STOPPED
from tests.portal.agents.conftest import AgentProcess, Served, enrolled, eventually
from tests.portal.agents.test_campaigns import CHOICE, NOTICE, Terminal, command, questions

pytestmark = pytest.mark.slow
CHOICES = [{"label": "yes", "text": "Yes"}, {"label": "no", "text": "No"}]
COFFEE = {
    "nql_id": "#coffee",
    "name": "Coffee",
    "title": "Coffee for {name}?",
    "questions": [
        {"label": "want", "text": "Want some?", "choices": CHOICES},
        {"label": "why", "text": "Why?", "kind": "text"},
    ],
    "parameters": ["name"],
}


@pytest.fixture
def agent(served: Served, tmp_path: Path) -> Iterator[AgentProcess]:
    made = enrolled(served, tmp_path, "--ask", "terminal")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop(signal.SIGKILL)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    made.type("echo $((6 * 7))")
    made.expect("42")
    yield made
    made.close()


def send(served: Served, user: str, **body: Any) -> str:
    said = {"users": [user], "parameters": {"name": "Ada"}, **body}
    [sent] = served.post("/campaigns/coffee/send", said)["sent"]
    assert sent["response"], sent
    identifier: str = sent["response"]
    return identifier


def test_a_person_answers_what_the_portal_asks(served: Served, terminal: Terminal, agent: AgentProcess) -> None:
    eventually(lambda: served.connected(agent.device))
    served.post("/campaigns", COFFEE)

    def known() -> Any:
        return served.post("/query", {"text": "users | where username == 'root' | list uid, name"})["rows"]

    [[user, name]] = eventually(known)
    assert user == f"{agent.device}:0"
    eventually(lambda: user in served.portal.control.people_present.at([agent.device]).get(agent.device, []))
    response = send(served, name)

    def stands() -> dict[str, Any]:
        found: dict[str, Any] = served.get(f"/campaign-responses/{response}")["response"]
        return found

    terminal.expect("127.0.0.1 has a question for you: Coffee for Ada?")
    terminal.expect(NOTICE)
    eventually(lambda: stands()["state"] == "opened")
    terminal.type(command(agent))
    terminal.expect("127.0.0.1 asks:")
    terminal.expect(CHOICE)
    terminal.type("1")
    terminal.expect("is sent to 127.0.0.1.")
    terminal.type("thirsty")
    terminal.expect("Thank you.")
    eventually(lambda: stands()["state"] == "answered")
    assert (stands()["answers"], stands()["comments"]) == ({"want": "yes"}, {"why": "thirsty"})
    asked = (
        "campaign.#coffee.responses | list user.name, state, answers.want, comments.why, parameters.name, device.name"
    )
    [row] = served.post("/query", {"text": asked})["rows"]
    assert row[:5] == [name, "answered", "yes", "thirsty", "Ada"]

    # What is cancelled goes away from the screen, and an agent that stops takes its question along.
    response = send(served, user)
    terminal.expect(NOTICE)
    eventually(lambda: stands()["state"] == "opened")
    assert served.post(f"/campaign-responses/{response}/cancel")["response"]["state"] == "expired"
    eventually(lambda: not questions(agent))
    response = send(served, user)
    terminal.expect(NOTICE)
    assert agent.stop() == 0
    assert questions(agent) == []
    agent.start()
    eventually(lambda: stands()["detail"] == STOPPED)
    assert stands()["state"] == "opened"
