"""What people asked for: tickets, questions to assistants, talks with an agent that answers.

In: the estate. Out: frames for `ticket.tickets`, `ai.interactions_summary`, `agent.conversations`. Invariant: who asks
an assistant stays with the one tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate
from muster.estate.inventory import TOOLS
from muster.estate.population import Device
from muster.estate.rhythm import DAY

Row = dict[str, Any]


def tickets(estate: Estate) -> pl.DataFrame:
    """Rows of `ticket.tickets`: about one ticket for thirty devices a day."""
    count = max(3, len(estate.people) * estate.days // 30)
    dice = [Dice(mix(word(estate.seed, "ticket"), number)) for number in range(count)]
    times = sorted(estate.start + int(one.share("at") * estate.days * DAY) for one in dice)
    return pl.DataFrame({"id": [f"INC{100_000 + number}" for number in range(count)], "time": times})


def interactions(estate: Estate) -> pl.DataFrame:
    """Rows of `ai.interactions_summary`: a third of the people ask an assistant, on most days."""
    rows = [row for person in estate.people for row in _assisted(estate, person)]
    return pl.DataFrame(rows or [_assistance(estate, estate.people[0], 0)]).sort("start_time", "@user")


def conversations(estate: Estate) -> pl.DataFrame:
    """Rows of `agent.conversations`."""
    rows = []
    for number in range(max(4, len(estate.people) * estate.days // 60)):
        dice = Dice(mix(word(estate.seed, "conversation"), number))
        rows.append(
            {
                "time": estate.start + int(dice.share("at") * estate.days * DAY),
                "@user": dice.pick("user", estate.people).user.uid,
                "state": dice.weighted("state", [("completed", 9.0), ("abandoned", 1.0)]),
                "outcome": dice.weighted("outcome", [("resolved", 6.0), ("ticket opened", 3.0), ("none", 1.0)]),
                "type": dice.pick("type", ("chat", "voice")),
                "intent": dice.pick("intent", ("reset password", "slow computer", "access to a folder", "printer")),
            }
        )
    return pl.DataFrame(rows).sort("time", "@user")


def _assisted(estate: Estate, person: Device) -> Iterator[Row]:
    if Dice(person.state).share("assisted") < 1 / 3:
        yield from (
            _assistance(estate, person, day)
            for day in range(estate.days)
            if Dice(mix(person.state, day)).share("asks") < 0.6
        )


def _assistance(estate: Estate, person: Device, day: int) -> Row:
    start = (estate.start // DAY + day) * DAY
    dice = Dice(mix(person.state, day))
    return {
        "start_time": start,
        "end_time": start + DAY,
        "bucket_duration": DAY,
        "@tool": Dice(person.state).pick("tool", TOOLS),
        "@user": person.user.uid,
        "@device": person.uid,
        "number_of_interactions": dice.whole("interactions", 1, 30),
    }
