"""Questions of the portal on a device: whether they may be shown, and what the core does with them.

Comes in: questions signed right and changed afterwards, events by hand. Goes out: decisions, commands. Invariant: what
a thief of the portal's key could show is a short plain text, and each question ends in one report.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import events as e
from agent import statements, wire
from agent.campaigns.questions import LONGEST, Reply
from agent.campaigns.sent import STOPPED, Asked, Unfit, examine
from agent.core import step
from agent.journal import Execution
from agent.orders import Foreign
from agent.state import State
from tests.agent.test_core import FAR, NOW, after, fresh, kinds
from tests.agent.test_orders import DEVICE, PORTAL, STRANGER, order, trust

ASK: dict[str, Any] = {
    "nql_id": "#coffee",
    "title": "Coffee?",
    "questions": [{"label": "want", "text": "Want some?", "choices": [{"label": "yes", "text": "Yes"}]}],
}


def questions(key: Ed25519PrivateKey = PORTAL, content: object = ASK, **changed: Any) -> wire.Questions:
    """Questions, signed after the changes."""
    made = wire.Questions("r", DEVICE, 1, "n", "u-1", FAR, msgspec.Raw(wire.canonical(content)), bytes(64))
    made = msgspec.structs.replace(made, **changed)
    return msgspec.structs.replace(made, signature=key.sign(statements.questions_bytes(made)))


def pulled(state: State, *asked: wire.Questions) -> tuple[State, list[e.Command]]:
    return after(state, e.Pulled(wire.Work(questions=list(asked))))


def asking() -> tuple[State, Asked]:
    """A core with a question on its way."""
    state, commands = pulled(fresh(), questions())
    [asked] = [command.asked for command in commands if isinstance(command, e.AskPerson)]
    return state, asked


def test_questions_are_shown_for_a_day_at_the_most() -> None:
    asked = examine(questions(), trust(), NOW)
    assert isinstance(asked, Asked)
    assert (asked.key, asked.person, asked.expires_at) == (("r", 1), "u-1", NOW + LONGEST * 1_000_000)


@pytest.mark.parametrize(
    "text", ["See https://corp.example", "WWW.corp.example", "mailto:x@y.example", "\x1b[2J", "\u202eevil"]
)
def test_a_text_that_leads_somewhere_is_not_shown(text: str) -> None:
    first = ASK["questions"][0]
    for content in (
        ASK | {"title": text},
        ASK | {"questions": [first | {"text": text}]},
        ASK | {"questions": [first | {"choices": [{"label": "yes", "text": text}]}]},
    ):
        assert isinstance(examine(questions(content=content), trust(), NOW), Unfit)


def test_who_may_ask_what() -> None:
    assert isinstance(examine(questions(STRANGER), trust(), NOW), Foreign)
    assert isinstance(examine(questions(device="other"), trust(), NOW), Foreign)
    signed = questions()
    for change in ({"person": "u-2"}, {"attempt": 2}, {"expires_at": FAR + 1}, {"content": msgspec.Raw(b"{}")}):
        assert isinstance(examine(msgspec.structs.replace(signed, **change), trust(), NOW), Foreign)
    for content in (ASK | {"questions": []}, {"title": "x"}, ASK | {"questions": [{"label": "a", "text": "A?"}]}):
        assert isinstance(examine(questions(content=content), trust(), NOW), Unfit)
    assert isinstance(examine(questions(expires_at=NOW), trust(), NOW), Unfit)


def test_from_asking_to_the_report() -> None:
    state, asked = asking()
    state, commands = pulled(state, questions())
    assert kinds(commands) == []  # it is on its way
    state, commands = after(state, e.Nudged())
    [pull] = [command.pull for command in commands if isinstance(command, e.SendPull)]
    assert pull.held == [wire.Held("r", 1)]
    state, commands = after(state, e.QuestionsShown(asked))
    [opened] = [command for command in commands if isinstance(command, e.StoreReport)]
    assert (opened.state, opened.run, opened.attempt) == ("opened", "r", 1)
    said = Reply("fully", "", {"want": ("yes",)}, comments={"why": "tired"})
    state, commands = after(state, e.PersonReplied(asked, said))
    [ended] = [command for command in commands if isinstance(command, e.StoreReport)]
    assert (ended.state, ended.outcome) == ("answered", wire.Replied(NOW, "", {"want": ["yes"]}, {"why": "tired"}))
    assert not state.asking
    late, commands = pulled(state, questions())
    assert kinds(commands) == []
    assert late.done == {("r", 1): None}


@pytest.mark.parametrize(
    ("reply", "stands", "detail"),
    [
        (Reply("declined"), "declined", ""),
        (Reply("postponed"), "unanswered", "postponed"),
        (Reply("timeout", "nobody waits"), "unanswered", "timeout"),
        (Reply("notificationfailed", "the screen is locked"), "unanswered", "the screen is locked"),
    ],
)
def test_how_it_may_come_out(reply: Reply, stands: str, detail: str) -> None:
    state, asked = asking()
    _, commands = after(state, e.PersonReplied(asked, reply))
    [ended] = [command for command in commands if isinstance(command, e.StoreReport)]
    assert isinstance(ended.outcome, wire.Replied)
    assert (ended.state, ended.outcome.detail) == (stands, detail)


def test_a_cancel_takes_it_away_and_what_is_unfit_is_said() -> None:
    state, _ = asking()
    signature = PORTAL.sign(statements.cancel_bytes("r", DEVICE, 1, "n"))
    _, commands = after(state, e.Pulled(wire.Work(cancels=[wire.Cancel("r", DEVICE, 1, "n", signature)])))
    assert [command for command in commands if isinstance(command, e.StopProcess)] == [e.StopProcess("r", 1)]
    _, commands = pulled(fresh(), questions(content=ASK | {"title": "www.x.example"}))
    [report] = [command for command in commands if isinstance(command, e.StoreReport)]
    assert report.state == "unanswered"
    _, commands = pulled(fresh(), questions(STRANGER))
    assert kinds(commands) == ["Log"]


def test_a_question_takes_no_place_of_a_script() -> None:
    state, _ = asking()
    _, commands = after(state, e.Pulled(wire.Work([order(run="a", expires_at=FAR), order(run="b", expires_at=FAR)])))
    assert kinds(commands) == ["StoreIntent", "StoreIntent"]


def test_what_an_agent_that_died_had_on_the_screen() -> None:
    opened = wire.Report("r", 1, "n", "opened", msgspec.Raw(b"{}"), bytes(64))
    known = Execution("r", 1, "n", FAR, None, [opened])
    _, commands = step(State(trust()), e.Recovered((known,)), NOW)
    [report] = [command for command in commands if isinstance(command, e.StoreReport)]
    assert (report.state, report.outcome) == ("unanswered", wire.Replied(NOW, STOPPED))


def test_who_is_logged_in_is_told_once() -> None:
    def pulls(commands: list[e.Command]) -> list[list[str] | None]:
        return [command.pull.people for command in commands if isinstance(command, e.SendPull)]

    state, commands = after(fresh(), e.PeopleSeen(("u-1",)))
    assert pulls(commands) == [["u-1"]]
    state, commands = after(state, e.PeopleSeen(("u-1", "u-2")))
    assert pulls(commands) == []  # one is under way
    state, commands = after(state, e.Pulled(wire.Work()))
    assert pulls(commands) == [["u-1", "u-2"]]
    state, commands = after(state, e.Failed("pull", e.Failure.LATER))
    state, commands = after(state, e.Tick(), now=FAR)
    assert pulls(commands) == [["u-1", "u-2"]]
    state, commands = after(state, e.Pulled(wire.Work()), e.Nudged(), now=FAR)
    assert pulls(commands) == [None]
