"""When an agent talks to its portal: never without need, and not all at once.

Comes in: a core and a clock that jumps to the next instant at which the core has something to do. Goes out: every
command, with its instant. Invariant: what is counted here is all that an agent would send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from agent import events as e
from agent import wire
from agent.backoff import SECOND, WIDEST, WINDOW
from agent.core import STEADY, step
from agent.state import State
from agent.wire_configuration import Configuration
from tests.agent.test_orders import trust

MINUTE = 60 * SECOND
Answer = Callable[[e.Command, int], list[tuple[int, e.Event]]]


def lived(
    state: State, begin: list[tuple[int, e.Event]], until: int, answer: Answer
) -> tuple[State, list[tuple[int, e.Command]]]:
    """The commands of a core until an instant; `answer` says which events follow from each, and when."""
    waiting, said, now = list(begin), list[tuple[int, e.Command]](), 0
    while True:
        wake = max(now, state.wake)
        at, event = min([*waiting, (wake, e.Tick())], key=lambda one: one[0])
        if at > until:
            return state, said
        if (at, event) in waiting:
            waiting.remove((at, event))
        now = at
        state, commands = step(state, event, now)
        said += [(now, command) for command in commands]
        waiting += [one for command in commands for one in answer(command, now)]


def names(said: list[tuple[int, e.Command]]) -> list[str]:
    return [type(command).__name__ for _, command in said]


def opens(command: e.Command, now: int) -> list[tuple[int, e.Event]]:
    return [(now + 1, e.ChannelOpened("none"))] if isinstance(command, e.OpenChannel) else []


def refuses(command: e.Command, now: int) -> list[tuple[int, e.Event]]:
    return [(now + 1, e.ChannelClosed())] if isinstance(command, e.OpenChannel) else []


def test_an_idle_device_says_nothing_for_an_hour() -> None:
    _, said = lived(State(trust()), [(0, e.Recovered(()))], 59 * MINUTE, opens)
    assert names(said) == ["OpenChannel", "ForgetOld"]


def test_a_nudge_is_one_pull_and_then_there_is_silence() -> None:
    def answer(command: e.Command, now: int) -> list[tuple[int, e.Event]]:
        if isinstance(command, e.SendPull):
            return [(now + 1, e.Pulled(wire.Work()))]
        return opens(command, now)

    _, said = lived(State(trust()), [(0, e.Recovered(())), (5, e.Nudged()), (5, e.Nudged())], 59 * MINUTE, answer)
    assert names(said).count("SendPull") == 2  # the second nudge came while the first pull was under way


def test_a_pull_that_fails_is_tried_again_until_it_is_answered() -> None:
    pulls: list[int] = []

    def answer(command: e.Command, now: int) -> list[tuple[int, e.Event]]:
        if isinstance(command, e.SendPull):
            pulls.append(now)
            failed = e.Failed("pull", e.Failure.LATER)
            return [(now + 1, e.Pulled(wire.Work()) if len(pulls) == 4 else failed)]
        return opens(command, now)

    lived(State(trust()), [(0, e.Recovered(())), (5, e.Nudged())], 59 * MINUTE, answer)
    assert len(pulls) == 4
    assert pulls == sorted(pulls)


def test_without_a_channel_it_only_tries_to_open_one() -> None:
    begin: list[tuple[int, e.Event]] = [
        (0, e.Recovered((), batches=3)),
        (9, e.Nudged()),
        (10, e.BatchQueued()),
        (11, e.ConfigurationTold("x")),
    ]
    state, said = lived(State(trust()), begin, 59 * MINUTE, refuses)
    assert set(names(said)) == {"OpenChannel", "ForgetOld"}
    tries = [at for at, command in said if isinstance(command, e.OpenChannel)]
    assert all(0 < later - earlier <= WIDEST + SECOND for earlier, later in pairwise(tries))
    _, commands = step(replace(state, channel=replace(state.channel, busy=True)), e.ChannelOpened(), 60 * MINUTE)
    assert [type(command).__name__ for command in commands] == [
        "SendPull", "FetchConfiguration", "SendBatch", "ForgetOld",
    ]  # fmt: skip


def test_a_fleet_comes_back_over_seconds_and_later_each_time() -> None:
    def back(failures: int) -> list[int]:
        found = []
        for number in range(1000):
            state = State(replace(trust(), device=f"device {number}"), channel_up=True)
            event: e.Event = e.ChannelClosed(lived=2 * STEADY)
            for _ in range(failures):
                state, _ = step(state, event, 0)
                state, event = replace(state, channel=replace(state.channel, busy=True)), e.ChannelClosed()
            found.append(state.channel.at)
        return found

    for failures, window in ((1, WINDOW), (2, 2 * WINDOW), (8, WIDEST)):
        times = sorted(back(failures))
        assert times[0] > 0
        assert times[-1] <= window + SECOND
        most = max(sum(start <= at < start + window // 10 for at in times) for start in range(0, window, window // 10))
        assert most < 160, "of a thousand devices, a tenth of the window brings about a hundred"


def test_a_portal_that_asks_to_wait_is_waited_for() -> None:
    state, _ = step(State(trust(), channel_up=True), e.ChannelClosed(pause=30 * SECOND), 0)
    assert 30 * SECOND < state.channel.at <= 30 * SECOND + WINDOW + SECOND


def test_a_channel_that_opens_and_falls_is_tried_later_each_time() -> None:
    def answer(command: e.Command, now: int) -> list[tuple[int, e.Event]]:
        if isinstance(command, e.OpenChannel):
            return [(now + 1, e.ChannelOpened()), (now + 2, e.ChannelClosed(lived=1))]
        return []

    state, _ = lived(State(trust()), [(0, e.Recovered(()))], 30 * MINUTE, answer)
    assert state.channel.failures > 10


def test_a_configuration_is_fetched_when_its_tag_is_another() -> None:
    told: list[str] = []

    def answer(command: e.Command, now: int) -> list[tuple[int, e.Event]]:
        if isinstance(command, e.FetchConfiguration):
            told.append(command.tag)
            return [(now + 1, e.Failed("config", e.Failure.LATER) if len(told) == 1 else e.Configured(new))]
        return [(now + 1, e.ChannelOpened("new"))] if isinstance(command, e.OpenChannel) else []

    new = Configuration("new")
    begin: list[tuple[int, e.Event]] = [
        (0, e.Recovered(())),
        (30 * MINUTE, e.ConfigurationTold("new")),
        (31 * MINUTE, e.ConfigurationTold("")),
    ]
    state, said = lived(State(trust()), begin, 59 * MINUTE, answer)
    assert told == ["none", "none"]
    assert state.tag == "new"
    assert "SendPull" not in names(said)
