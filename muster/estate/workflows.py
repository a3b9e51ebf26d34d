"""The workflows of the estate, their runs and the daily sums of these.

In: the estate. Out: frames for `workflow.*`. Invariant: only a run that ended has an outcome and a length; the last
ones of the history are still under way.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from muster.estate.automation import per_day, remembered
from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate
from muster.estate.rhythm import DAY, HOUR
from storage.control.outcomes import texts

STATES = (("success", 90.0), ("failure", 5.0), ("cancelled", 2.0), ("expired", 3.0))
TROUBLE = {
    "failure": ("a step timed out", "a step's action failed"),
    "cancelled": ("cancelled by operator",),
    "expired": ("the device was not connected in time",),
}
FAILURES = tuple(TROUBLE)  # the first workflow of a day ends in one of them, in turn
UNFINISHED = ("in_progress", "waiting")  # the last workflows of the history are still under way
OUTCOMES = (("action_taken", 3.0), ("no_action_taken", 1.0))
OUTCOME_DETAILS = ("the user was told", "a ticket was opened", "the cache was cleared")
DAILY = 6  # workflows a day
WORKFLOWS = (("#new_laptop", "New laptop", "3"), ("#password_expiry", "Password expiry reminder", "7"))
Row = dict[str, Any]


def workflows(estate: Estate) -> pl.DataFrame:
    """Rows of `workflow.workflows`."""
    uids = [Dice(word("workflow", nql_id)).uid("uid") for nql_id, _, _ in WORKFLOWS]
    columns = {
        "nql_id": [w[0] for w in WORKFLOWS],
        "name": [w[1] for w in WORKFLOWS],
        "uid": uids,
        "version": [w[2] for w in WORKFLOWS],
    }
    return pl.DataFrame({**columns, "status": ["active", "inactive"]})


def executions(estate: Estate) -> pl.DataFrame:
    """Rows of `workflow.executions`."""
    rows = [_workflow(estate, day, number) for day in range(estate.days) for number in range(DAILY)]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "execution_id")


def executions_summary(estate: Estate) -> pl.DataFrame:
    """Rows of `workflow.executions_summary`."""
    keys = ["@workflow", "status", "outcome"]
    made = (_workflow(estate, day, number) for day in remembered(estate) for number in range(DAILY))
    rows = [[row[key] for key in ("time", *keys)] for row in made]
    return per_day(pl.DataFrame(rows, schema=["time", *keys], orient="row", infer_schema_length=None), keys)


def _workflow(estate: Estate, day: int, number: int) -> Row:
    dice = Dice(mix(word(estate.seed, "workflow", day), number))
    person = dice.pick("device", estate.people)
    asked = estate.start + day * DAY + int(dice.between("asked", 1, 23) * HOUR)
    unfinished = day == estate.days - 1 and number >= DAILY - len(UNFINISHED)
    state = UNFINISHED[number - DAILY] if unfinished else dice.weighted("state", STATES)
    if number == 0:
        state = FAILURES[day % len(FAILURES)]
    outcome = {"success": dice.weighted("outcome", OUTCOMES), "failure": "failed"}.get(state)
    seconds = dice.whole("seconds", 2, 900)
    return {
        "@device": person.uid,
        "@user": person.user.uid,
        "@workflow": dice.pick("workflow", WORKFLOWS)[0],
        "request_id": dice.uid("request"),
        "execution_id": dice.uid("execution"),
        "request_time": asked,
        "time": asked + seconds * 1_000_000,
        "status": state,
        "status_details": dice.pick("details", TROUBLE.get(state, (None,))),
        "outcome": outcome,
        "outcome_details": dice.pick("said", OUTCOME_DETAILS) if outcome == "action_taken" else None,
        "trigger_method": dice.pick("trigger", ("scheduler", "api", "manual", "manual_multiple")),
        "number_of_executions": 1,
        "inputs": texts({"language": "fr" if person.place.country_code == "FR" else "en"}),
        "duration_seconds": None if unfinished else seconds,
    }
