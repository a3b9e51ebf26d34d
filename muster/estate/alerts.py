"""What was noticed: monitors, their alerts, and whom each alert hit.

In: the estate. Out: frames for `alert.*`. Invariant: an alert is about something that is in the data (the bad version,
the slow site, full drives, old systems), and hits the devices that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate, bad_version, context_of
from muster.estate.population import FULL_SHARE, Device
from muster.estate.records import records
from muster.estate.rhythm import DAY, HOUR, MINUTE

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Monitor:
    """Something that is watched: an alert is raised where `metric` passes `threshold`; `context` says what it is
    about."""

    nql_id: str
    context: str
    name: str
    priority: str
    kind: str
    metric: str
    threshold: float
    tags: tuple[str, ...]


MONITORS = records("monitors", Monitor)
HITS: Mapping[str, Callable[[Device], bool]] = {
    "#outlook_crashes": bad_version,
    "#slow_boots": lambda person: person.place.boot > 2,
    "#slow_salesforce": lambda person: person.user.department.name in {"Sales", "Customer Care"},
    "#full_drives": lambda person: person.free < FULL_SHARE,
    "#old_windows": lambda person: person.system.name.startswith("Windows 10"),
}


def monitors(estate: Estate) -> pl.DataFrame:
    """Rows of `alert.monitors`."""
    rows = [
        {
            "nql_id": monitor.nql_id,
            "name": monitor.name,
            "priority": monitor.priority,
            "type": monitor.kind,
            "tags": list(monitor.tags),
            "thresholds": [{"name": monitor.metric, "real": monitor.threshold}],
        }
        for monitor in MONITORS
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
            "@monitor": monitor.nql_id,
            "@device": person.uid,
            "@user": person.user.uid,
            **context_of(person, Dice(mix(person.state, day))),
        }
        for number, monitor in enumerate(MONITORS)
        for day in _firing(estate, number)
        for person in [*filter(HITS[monitor.nql_id], estate.people)] or estate.people[:1]
    ]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "@monitor", "@device")


def _firing(estate: Estate, number: int) -> list[int]:
    """The days, counted from the start, on which a monitor fires: at least the last one."""
    return sorted({estate.days - 1, *range(number % 2, estate.days, 2)})


def _fired(estate: Estate, number: int, day: int) -> int:
    return estate.start + day * DAY + (6 + 3 * number) * HOUR + 12 * MINUTE


def _alert(estate: Estate, number: int, day: int) -> Row:
    monitor = MONITORS[number]
    fired, dice = _fired(estate, number, day), Dice(mix(word(estate.seed, monitor.nql_id), day))
    still_open = number == 0 and day == estate.days - 1
    recovered = None if still_open else min(estate.now, fired + dice.whole("lasted", 30, 300) * MINUTE)
    return {
        "time": fired,
        "trigger_time": fired,
        "@monitor": monitor.nql_id,
        "status": "open" if still_open else "closed",
        "recovery_time": recovered,
        "context": monitor.context,
        "trigger_values": [
            {"name": monitor.metric, "real": round(monitor.threshold * dice.between("value", 1.1, 2.4), 1)}
        ],
        "duration": None if recovered is None else recovered - fired,
        "number_of_alerts": 1,
    }
