"""What was done to the devices before today: remote actions and workflows, their runs and the daily sums of both.

In: the estate. Out: frames for `remote_action.*` and `workflow.*`. Invariant: the outputs of a past run tell what the
device's other tables tell (the free space of a full drive), under the names that the actions of `content/actions`
declare; final states only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from muster.estate.dice import Dice, mix, word
from muster.estate.frames import Estate, context_of
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
STATES = (
    ("success", 84.0),
    ("failure", 4.0),
    ("expired", 5.0),
    ("cancelled", 1.5),
    ("no_script", 1.0),
    ("old_collector", 1.5),
    ("policy_denied", 1.0),
    ("interrupted", 1.0),
    ("lost_contact", 1.0),
)
TROUBLE = {
    "failure": "the script ended with exit code 1",
    "expired": "the device was not connected in time",
    "cancelled": "cancelled by admin",
    "no_script": "there is no script for this platform",
    "old_collector": "the agent is older than the action needs",
    "policy_denied": "the device does not take actions of this author",
    "interrupted": "the device was switched off while the script ran",
    "lost_contact": "no word from the device since the script began",
}
FOR_MANY = (("manual_multiple", 4.0), ("scheduled", 3.0), ("api", 2.0))
FOR_ONE = ("manual", "api", "workflow", "automatic")
OF_RARE = ("workflow", "automatic")  # requests that end as few do, in turn, so that every end is seen in some days
RARE = ("no_script", "old_collector", "policy_denied", "interrupted", "lost_contact")
AREAS = {
    "manual": "device_view",
    "manual_multiple": "investigations",
    "scheduled": "schedules",
    "workflow": "workflows",
    "automatic": "alerts",
}
SOURCES, REASONS = ("Service Desk", "Self-service"), ("weekly look", "ticket of a user", "before the update")
BEFORE = 14  # days before the history of which the sums are kept: they outlive the executions
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
    keys = ["@remote_action", "status", "trigger_method", "purpose"]
    rows = [[row[key] for key in ("time", *keys)] for day in remembered(estate) for row in _run(estate, day)]
    return per_day(pl.DataFrame(rows, schema=["time", *keys], orient="row", infer_schema_length=None), keys)


def local_schedules(estate: Estate) -> pl.DataFrame:
    """Rows of `remote_action.local_schedules`."""
    people = [person for person in estate.people if person.platform == "linux"]
    rows = [_schedule(estate, person) for person in people or estate.people[:1]]
    return pl.DataFrame(rows)


def remembered(estate: Estate) -> range:
    """The days that the sums are of, counted from the start of the history."""
    return range(-BEFORE, estate.days)


def _run(estate: Estate, day: int) -> Iterator[Row]:
    """The executions of a day: one action for some of the devices at once, others for one device each."""
    dice = Dice(mix(word(estate.seed, "run"), day))
    chosen = [
        person
        for place, person in enumerate(estate.people)
        if place == day % len(estate.people) or Dice(mix(person.state, dice.state)).share("chosen") < 0.12
    ]
    yield from _request(estate, day, dice, dice.weighted("trigger", FOR_MANY), chosen)
    for number, trigger in enumerate(FOR_ONE):
        own = Dice(mix(dice.state, number))
        rare = RARE[(day * len(OF_RARE) + number) % len(RARE)] if trigger in OF_RARE else None
        yield from _request(estate, day, own, trigger, [own.pick("device", estate.people)], rare)


def _request(
    estate: Estate, day: int, dice: Dice, trigger: str, people: Iterable[Device], state: str | None = None
) -> Iterator[Row]:
    """One request. Its executions end in `state`, or as chance has it."""
    nql_id, _, purpose, _ = ACTIONS[(day + FOR_ONE.index(trigger) if trigger in FOR_ONE else day) % len(ACTIONS)]
    asked = estate.start + day * DAY + int(dice.between("asked", 2, 20) * HOUR)
    common = {
        "@remote_action": nql_id,
        "request_time": asked,
        "request_id": dice.uid("request"),
        "trigger_method": trigger,
        "purpose": purpose,
        **_asked_by(dice, trigger),
    }
    for person in people:
        own = Dice(mix(person.state, dice.state))
        ended = {"time": asked + int(own.between("took", 0.1, 40) * MINUTE)}
        yield _execution(estate, person, own, nql_id, state or own.weighted("state", STATES)) | common | ended


def _asked_by(dice: Dice, trigger: str) -> Row:
    outside, by_hand = trigger == "api", trigger.startswith("manual")
    return {
        "internal_source": AREAS.get(trigger),
        "external_source": dice.pick("source", SOURCES) if outside else None,
        "external_reference": f"INC{dice.whole('ticket', 10_000, 99_999)}" if outside else None,
        "trigger_reason": dice.pick("reason", REASONS) if outside or by_hand else None,
        "triggered_by": dice.pick("by", ("operator", "admin")) if by_hand else f"service:{trigger}",
    }


def _execution(estate: Estate, person: Device, dice: Dice, nql_id: str, state: str) -> Row:
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
        **context_of(person, dice),
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
    state = dice.weighted("local schedule", [("active", 85.0), ("failing", 10.0), ("paused", 5.0)])
    details = {"failing": f"{dice.whole('failures', 3, 30)} failures in a row", "paused": "paused by admin"}
    return {
        "@device": person.uid,
        "@remote_action": dice.pick("scheduled", ("#get_uptime", "#clear_user_cache")),
        "status": state,
        "status_details": details.get(state),
        "time": estate.now - dice.whole("at", 1, 40) * MINUTE,
    }


def per_day(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """How many rows a day and group."""
    start = (pl.col("time") // DAY * DAY).alias("start_time")
    counted = rows.group_by(start, *keys).agg(pl.len().cast(pl.Int64).alias("number_of_executions"))
    end = (pl.col("start_time") + DAY).alias("end_time")
    return counted.with_columns(end, pl.lit(DAY, dtype=pl.Int64).alias("bucket_duration")).sort("start_time", *keys)
