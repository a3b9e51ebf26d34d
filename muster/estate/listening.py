"""What people said and what was noticed: campaigns with their answers, monitors with their alerts, tickets, questions
to assistants.

In: the estate. Out: frames for `campaign.*`, `alert.*`, `ticket.tickets`, `ai.interactions_summary`,
`agent.conversations`. Invariant: an alert is about something that is in the data (the bad version, the slow site,
full drives), and hits the devices that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate
from muster.estate.inventory import TOOLS
from muster.estate.population import FULL_SHARE, Device
from muster.estate.rhythm import DAY, HOUR, MINUTE

CAMPAIGNS = (
    ("#it_satisfaction", "How satisfied are you with IT?", "published", "scheduled"),
    ("#outlook_trouble", "Trouble with Outlook?", "published", "manual"),
    ("#move_to_windows_11", "Move to Windows 11", "retired", "manual"),
)
ANSWERS = {
    "#it_satisfaction": (
        "How satisfied are you?",
        (("Very satisfied", 3.0), ("Satisfied", 5.0), ("Neutral", 2.0), ("Dissatisfied", 1.0)),
    ),
    "#outlook_trouble": ("Did Outlook close by itself?", (("Yes, often", 3.0), ("Once", 2.0), ("No", 4.0))),
    "#move_to_windows_11": ("When shall we move you?", (("This week", 3.0), ("Next week", 5.0))),
}
ENDS = (("answered", 6.0), ("declined", 1.0), ("expired", 2.0), ("opened", 1.0))
Row = dict[str, Any]


def _slow_site(person: Device) -> bool:
    return person.place.boot > 2


def _nearly_full(person: Device) -> bool:
    return person.free < FULL_SHARE


def _old_windows(person: Device) -> bool:
    return person.system.name.startswith("Windows 10")


def _outlook(person: Device) -> bool:
    return person.platform == "windows" and Dice(mix(person.state, word("outlook"))).share("bad") < 0.35


MONITORS: tuple[tuple[str, str, str, str, str, float, Callable[[Device], bool]], ...] = (
    ("#outlook_crashes", "Outlook crashes", "critical", "global_detection", "crashes", 3.0, _outlook),
    ("#slow_boots", "Slow boots", "high", "metric_threshold", "seconds", 60.0, _slow_site),
    ("#full_drives", "System drives nearly full", "medium", "metric_threshold", "free_percent", 5.0, _nearly_full),
    ("#old_windows", "Windows without updates", "low", "metric_change", "days", 90.0, _old_windows),
)


def campaigns(estate: Estate) -> pl.DataFrame:
    """Rows of `campaign.campaigns`."""
    return pl.DataFrame(CAMPAIGNS, schema=["nql_id", "name", "status", "trigger_method"], orient="row")


def responses(estate: Estate) -> pl.DataFrame:
    """Rows of `campaign.responses`: a third of the people are asked something."""
    rows = [row for campaign in CAMPAIGNS for row in _asked(estate, campaign[0], campaign[3])]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "@user")


def monitors(estate: Estate) -> pl.DataFrame:
    """Rows of `alert.monitors`."""
    rows = [
        {
            "nql_id": m[0],
            "name": m[1],
            "priority": m[2],
            "type": m[3],
            "tags": ["estate"],
            "thresholds": [{"name": m[4], "real": m[5]}],
        }
        for m in MONITORS
    ]
    return pl.DataFrame(rows)


def alerts(estate: Estate) -> pl.DataFrame:
    """Rows of `alert.alerts`: each monitor fires every other day, and the last alert of the worst one is open."""
    rows = [_alert(estate, number, day) for number in range(len(MONITORS)) for day in _firing(estate, number)]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "@monitor")


def impacts(estate: Estate) -> pl.DataFrame:
    """Rows of `alert.impacts`: the devices that have what a monitor looks for, each time it fires."""
    rows = [
        {
            "time": _fired(estate, number, day),
            "@monitor": monitor[0],
            "@device": person.uid,
            "@user": person.user.uid,
            **_context(person),
        }
        for number, monitor in enumerate(MONITORS)
        for day in _firing(estate, number)
        for person in [*filter(monitor[6], estate.people)] or estate.people[:1]
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "@monitor", "@device")


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


def _asked(estate: Estate, nql_id: str, trigger: str) -> Iterator[Row]:
    question, choices = ANSWERS[nql_id]
    for person in estate.people:
        dice = Dice(mix(person.state, word(estate.seed, nql_id)))
        if person.number and dice.share("asked") >= 1 / 3:
            continue
        state = "answered" if person.number == 0 else dice.weighted("state", ENDS)
        targeted = estate.start + int(dice.share("at") * (estate.days - 0.5) * DAY)
        answers = [{"name": question, "text": dice.weighted("answer", choices)}]
        yield {
            "time": targeted + int(dice.between("after", 0.1, 11) * HOUR),
            "first_targeted": targeted,
            "@user": person.user.uid,
            "@device": person.uid,
            "@campaign": nql_id,
            "state": state,
            "state_details": "closed by the user" if state == "declined" else None,
            "trigger_method": trigger,
            "request_id": Dice(word(estate.seed, nql_id)).uid("request"),
            "answers": answers if state == "answered" else [],
        }


def _firing(estate: Estate, number: int) -> list[int]:
    """The days, counted from the start, on which a monitor fires: at least the last one."""
    return sorted({estate.days - 1, *range(number % 2, estate.days, 2)})


def _fired(estate: Estate, number: int, day: int) -> int:
    return estate.start + day * DAY + (6 + 3 * number) * HOUR + 12 * MINUTE


def _alert(estate: Estate, number: int, day: int) -> Row:
    nql_id, name, _, _, metric, threshold, _ = MONITORS[number]
    fired, dice = _fired(estate, number, day), Dice(mix(word(estate.seed, nql_id), day))
    still_open = number == 0 and day == estate.days - 1
    recovered = None if still_open else min(estate.now, fired + dice.whole("lasted", 30, 300) * MINUTE)
    return {
        "time": fired,
        "trigger_time": fired,
        "@monitor": nql_id,
        "status": "open" if still_open else "closed",
        "recovery_time": recovered,
        "context": f"{name} in the whole estate",
        "trigger_values": [{"name": metric, "real": round(threshold * dice.between("value", 1.1, 2.4), 1)}],
        "duration": None if recovered is None else recovered - fired,
        "number_of_alerts": 1,
    }


def _context(person: Device) -> Row:
    return {
        "context.location.country": person.place.country,
        "context.location.state": person.place.state,
        "context.location.type": "Onsite",
        "context.location.site": person.place.site,
        "context.device_platform": person.platform,
        "context.organization.entity": person.place.entity,
    }


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
