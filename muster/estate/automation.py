"""What was done to the devices before today: remote actions and workflows, their runs and the daily sums of both.

In: the estate. Out: frames for `remote_action.*` and `workflow.*`. Invariant: the outputs of a past run tell what the
device's other tables tell (the free space of a full drive), under the names that the actions of `content/actions`
declare; final states only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate
from muster.estate.population import Device
from muster.estate.rhythm import DAY, HOUR, MINUTE
from muster.estate.world import DOMAIN, GIB
from storage.control.outcomes import texts, values

MILLISECOND = 1_000
ACTIONS = (
    (
        "#disk_hot_spots",
        "Disk hot spots",
        "data_collection",
        "The largest folders below a path, and how full its drive is.",
    ),
    ("#get_uptime", "Get uptime", "data_collection", "How long the device has been up, and how busy it is."),
    ("#clear_user_cache", "Clear user cache", "remediation", "Old files in people's caches: counted, or removed."),
    (
        "#check_certificate",
        "Check certificate",
        "data_collection",
        "The certificate that a server shows to this device.",
    ),
)
TYPES = {
    "#disk_hot_spots": {
        "free_space": "size",
        "used_share": "ratio",
        "largest_folder": "string",
        "largest_folder_size": "size",
        "hot_spots": "string_list",
    },
    "#get_uptime": {"uptime": "duration", "booted_at": "date_time", "load": "float", "processes": "uint32"},
    "#clear_user_cache": {"files": "uint32", "space": "size", "removed": "bool"},
    "#check_certificate": {
        "host": "string",
        "valid": "bool",
        "valid_until": "date_time",
        "days_left": "uint32",
        "issuer": "string",
    },
}
INPUTS = {
    "#disk_hot_spots": {"path": "/"},
    "#get_uptime": {},
    "#clear_user_cache": {"days": "30", "mode": "preview", "who": "everyone"},
    "#check_certificate": {"host": f"intranet.{DOMAIN}", "port": "443"},
}
STATES = (("success", 88.0), ("failure", 4.0), ("expired", 6.0), ("cancelled", 1.0), ("no_script", 1.0))
TROUBLE = {
    "failure": "the script ended with exit code 1",
    "expired": "the device was not connected in time",
    "cancelled": "cancelled by admin",
}
WORKFLOWS = (("#new_laptop", "New laptop", "3"), ("#password_expiry", "Password expiry reminder", "7"))
Row = dict[str, Any]


def remote_actions(estate: Estate) -> pl.DataFrame:
    """Rows of `remote_action.remote_actions`."""
    rows = [
        {
            "nql_id": nql_id,
            "uid": Dice(word("action", nql_id)).uid("uid"),
            "name": name,
            "description": text,
            "purpose": purpose,
            "origin": "library",
        }
        for nql_id, name, purpose, text in ACTIONS
    ]
    return pl.DataFrame(rows)


def executions(estate: Estate) -> pl.DataFrame:
    """Rows of `remote_action.executions`: one run of an action each day, on some of the devices."""
    rows = [row for day in range(estate.days) for row in _run(estate, day)]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "execution_id")


def executions_summary(estate: Estate) -> pl.DataFrame:
    """Rows of `remote_action.executions_summary`."""
    days = executions(estate).select("time", "@remote_action", "status", "trigger_method", "purpose")
    return _per_day(days, ["@remote_action", "status", "trigger_method", "purpose"])


def local_schedules(estate: Estate) -> pl.DataFrame:
    """Rows of `remote_action.local_schedules`."""
    people = [person for person in estate.people if person.platform == "linux"]
    rows = [_schedule(estate, person) for person in people or estate.people[:1]]
    return pl.DataFrame(rows)


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


def workflow_executions(estate: Estate) -> pl.DataFrame:
    """Rows of `workflow.executions`."""
    rows = [_workflow(estate, day, number) for day in range(estate.days) for number in range(6)]
    return pl.DataFrame(rows, infer_schema_length=None).sort("time", "execution_id")


def workflow_executions_summary(estate: Estate) -> pl.DataFrame:
    """Rows of `workflow.executions_summary`."""
    days = workflow_executions(estate).select("time", "@workflow", "status", "outcome")
    return _per_day(days, ["@workflow", "status", "outcome"])


def _run(estate: Estate, day: int) -> Iterator[Row]:
    dice = Dice(mix(word(estate.seed, "run"), day))
    nql_id, _, purpose, _ = ACTIONS[day % len(ACTIONS)]
    asked = estate.start + day * DAY + int(dice.between("asked", 2, 20) * HOUR)
    trigger = dice.weighted("trigger", [("manual_multiple", 2.0), ("api", 1.0), ("scheduled", 1.0)])
    for person in estate.people:
        own = Dice(mix(person.state, dice.state))
        if person.number == day % len(estate.people) or own.share("chosen") < 0.12:
            yield _execution(estate, person, own, nql_id) | {
                "@remote_action": nql_id,
                "request_time": asked,
                "time": asked + int(own.between("took", 0.1, 40) * MINUTE),
                "request_id": dice.uid("request"),
                "trigger_method": trigger,
                "purpose": purpose,
                "internal_source": {"manual_multiple": "investigations", "scheduled": "schedules"}.get(trigger),
                "external_source": "Service Desk" if trigger == "api" else None,
                "external_reference": f"INC{dice.whole('ticket', 10_000, 99_999)}" if trigger == "api" else None,
                "trigger_reason": "weekly look" if trigger == "manual_multiple" else None,
                "triggered_by": "operator",
            }


def _execution(estate: Estate, person: Device, dice: Dice, nql_id: str) -> Row:
    state = dice.weighted("state", STATES)
    ran = state in {"success", "failure"}
    return {
        "@device": person.uid,
        "@user": person.user.uid,
        "execution_id": dice.uid("execution"),
        "status": state,
        "status_details": TROUBLE.get(state),
        "outputs": values(TYPES[nql_id], _outputs(estate, person, dice, nql_id)) if state == "success" else [],
        "inputs": texts(INPUTS[nql_id]),
        "number_of_executions": 1,
        "duration": dice.whole("duration", 300, 9_000) * MILLISECOND if ran else None,
        "context.location.country": person.place.country,
        "context.location.state": person.place.state,
        "context.location.type": "Onsite",
        "context.location.site": person.place.site,
        "context.device_platform": person.platform,
        "context.organization.entity": person.place.entity,
    }


def _outputs(estate: Estate, person: Device, dice: Dice, nql_id: str) -> Row:
    if nql_id == "#disk_hot_spots":
        folder = r"C:\Users" if person.platform == "windows" else "/home"
        free = float(int(person.disk * person.free))
        size = float(int((person.disk - free) * dice.between("largest", 0.3, 0.6)))
        found = [f"{folder} {size / GIB:.1f} GiB"]
        return {
            "free_space": free,
            "used_share": round(100 * (1 - person.free), 2),
            "largest_folder": folder,
            "largest_folder_size": size,
            "hot_spots": found,
        }
    if nql_id == "#get_uptime":
        uptime = dice.whole("uptime", 1, 30 * 24) * HOUR
        return {
            "uptime": uptime,
            "booted_at": estate.now - uptime,
            "load": round(dice.between("load", 0.1, 4), 2),
            "processes": dice.whole("processes", 90, 420),
        }
    if nql_id == "#clear_user_cache":
        return {
            "files": dice.whole("files", 20, 30_000),
            "space": float(dice.whole("space", 1, 6_000) << 20),
            "removed": False,
        }
    days = 63
    return {
        "host": f"intranet.{DOMAIN}",
        "valid": True,
        "valid_until": estate.now + days * DAY,
        "days_left": days,
        "issuer": "Helvora Issuing CA 2",
    }


def _schedule(estate: Estate, person: Device) -> Row:
    dice = Dice(person.state)
    state = dice.weighted("local schedule", [("active", 19.0), ("failing", 1.0)])
    detail = "10 failures in a row" if state == "failing" else None
    return {
        "@device": person.uid,
        "@remote_action": "#get_uptime",
        "status": state,
        "status_details": detail,
        "time": estate.now - dice.whole("at", 1, 40) * MINUTE,
    }


def _workflow(estate: Estate, day: int, number: int) -> Row:
    dice = Dice(mix(word(estate.seed, "workflow", day), number))
    person = dice.pick("device", estate.people)
    asked = estate.start + day * DAY + int(dice.between("asked", 1, 23) * HOUR)
    state = dice.weighted("state", [("success", 9.0), ("failure", 1.0)])
    outcome = (
        dice.weighted("outcome", [("action_taken", 3.0), ("no_action_taken", 1.0)]) if state == "success" else "failed"
    )
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
        "status_details": "a step timed out" if state == "failure" else None,
        "outcome": outcome,
        "outcome_details": "the user was told" if outcome == "action_taken" else None,
        "trigger_method": dice.pick("trigger", ("scheduler", "api", "manual")),
        "number_of_executions": 1,
        "inputs": texts({"language": "en"}),
        "duration_seconds": seconds,
    }


def _per_day(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """How many rows a day and group."""
    start = (pl.col("time") // DAY * DAY).alias("start_time")
    counted = rows.group_by(start, *keys).agg(pl.len().cast(pl.Int64).alias("number_of_executions"))
    end = (pl.col("start_time") + DAY).alias("end_time")
    return counted.with_columns(end, pl.lit(DAY, dtype=pl.Int64).alias("bucket_duration")).sort("start_time", *keys)
