"""Questions of the portal in the core: what follows when some come, are shown, and are answered.

In: the core's state, events. Out: the state afterwards and commands. Invariants: questions are shown once for each time
they are handed out, and end in one report, which is sent until the portal has it; who is logged in is told only when it
has changed, as nothing is asked of the portal without need.
"""

from __future__ import annotations

from dataclasses import replace

from agent import events as e
from agent import wire
from agent.campaigns import sent
from agent.campaigns.sent import Asked, Unfit
from agent.orders import Foreign
from agent.state import State, Step


def told(state: State, questions: wire.Questions, now: int) -> Step:
    """Questions came that are not known yet."""
    key, portal_now = (questions.response, questions.attempt), state.portal_time(now)
    match sent.examine(questions, state.trust, portal_now):
        case Foreign(reason):
            facts: dict[str, str | int] = {"run": questions.response, "attempt": questions.attempt}
            return state, [e.Log("warning", f"questions were ignored: {reason}", facts)]
        case Unfit(detail):
            state = replace(state, done={**state.done, key: None})
            draft = wire.Replied(portal_now, detail)
            return state, [e.StoreReport(*key, questions.nonce, questions.expires_at, "unanswered", draft)]
        case asked:
            return replace(state, asking={**state.asking, key: asked}), [e.AskPerson(asked)]


def shown(state: State, event: e.QuestionsShown, now: int) -> Step:
    """They are on the screen."""
    if event.asked.key not in state.asking:
        return state, []
    return state, [_report(event.asked, "opened", wire.Replied(state.portal_time(now)))]


def over(state: State, event: e.PersonReplied, now: int) -> Step:
    """They are gone from the screen."""
    asked = event.asked
    asking = {key: one for key, one in state.asking.items() if key != asked.key}
    state = replace(state, asking=asking, done={**state.done, asked.key: None})
    return state, [_report(asked, *sent.replied(event.reply, state.portal_time(now)))]


def seen(state: State, event: e.PeopleSeen, now: int) -> Step:
    """Who is logged in here now."""
    state = replace(state, people=event.people)
    return news(state, now), []


def news(state: State, now: int) -> State:
    """The state that wants to tell who is logged in, if the portal does not know."""
    return state if state.people == state.people_told else replace(state, pull=state.pull.want(now))


def _report(asked: Asked, stands: wire.Reaction, replied: wire.Replied) -> e.StoreReport:
    return e.StoreReport(*asked.key, asked.nonce, asked.expires_at, stands, replied)
