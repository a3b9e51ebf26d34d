"""A run and its executions as a person reads them: counts with their word, times, units, and why a device waits.

In: the portal's JSON. Out: texts, and rows of text for a table. Invariant: devices that share a name are told apart by
the end of their uid; a value is shown in the unit that its action declares for it; nothing is asked of the portal here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from muster.runs import Run, counted, stands
from muster.shown import duration_text, moment_text, plural, value_text

# What a declared type of an output is as a type of a column.
TYPES = {
    "bool": "boolean",
    "uint32": "int",
    "size": "bytes",
    "ratio": "percentage",
    "date_time": "datetime",
    "string_list": "string_array",
}
FORMATS = {"bitrate": {"name": "bitrate", "code": None}}
UID_END = 6  # characters of a uid that tell devices of one name apart


def run_row(said: Mapping[str, Any]) -> dict[str, Any]:
    """A run as a row of a list."""
    return {**said, "requested_at": moment_text(said["requested_at"]), "counts": counted(stands(said))}


def head(run: Run) -> list[str]:
    """What is said of a run above its executions."""
    target = run.target.get("text") or plural(run.target["count"], "device")
    said = run.said
    lines = [
        f"{run.action}  run {run.id}",
        f"asked {moment_text(run.requested_at)} by {run.requested_by}, for: {target}",
    ]
    if run.state != "running" or run.state_detail:
        lines.append(f"{run.state}{run.state_detail and ': '}{run.state_detail}")
    elif not run.complete:
        lines.append(f"devices may begin until {moment_text(run.expires_at)}")
    if said.get("opens_at") and not run.complete:
        lines.append(f"held until {moment_text(said['opens_at'])} (window)")
    if said.get("next_at"):
        gate = " if the gate holds" if said["plan"].get("gate") else ""
        lines.append(f"next wave at {moment_text(said['next_at'])}{gate}")
    if said["skipped"]:
        lines.append(f"{plural(said['skipped'], 'device')} left out: they ran this action not long ago")
    return lines


def wave_row(wave: Mapping[str, Any]) -> dict[str, Any]:
    """A wave as a row of a table."""
    held = {"held back": wave["held"]} if wave["held"] else {}
    return {**wave, "counts": counted({**wave["counts"], **held})}


def device_names(devices: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The name of each device by its uid; with the end of the uid where another one has the same name."""
    known = {device["uid"]: device for device in devices}
    often = Counter(device["name"] for device in known.values())
    names = {}
    for uid, device in known.items():
        end = f" ...{uid[-UID_END:]}" if often[device["name"]] > 1 else ""
        names[uid] = f"{device['name']}{end}{' (simulated)' if device['simulated'] else ''}"
    return names


def execution_rows(
    run: Run, records: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Executions as rows of a table; `outputs` are those that the action declares."""
    names = device_names(record["device"] for record in records)
    types = {output["name"]: output["type"] for output in outputs}
    return [
        {
            **record,
            "device": names[record["device"]["uid"]],
            "state": state_text(run, record),
            "took": None if record["duration"] is None else duration_text(record["duration"]),
            "outputs": ", ".join(
                f"{name}={_output(value, types.get(name, ''))}" for name, value in record["outputs"].items()
            )
            or None,
        }
        for record in records
    ]


def state_text(run: Run, record: Mapping[str, Any]) -> str:
    """The state of an execution; of one that is held back, by what."""
    waves = len(run.said["plan"].get("waves", ())) or 1
    match record["waits_for"]:
        case "wave":
            return f"held: wave {record['wave']} of {waves}"
        case "run":
            return "held: the run is halted"
        case "window":
            return f"held until {moment_text(record['begins_at'])} (window)"
        case "attempt":
            return f"tries again at {moment_text(record['begins_at'])}"
    return str(record["state"]).replace("_", " ")


def _output(value: Any, kind: str) -> str:
    column = {"type": TYPES.get(kind, kind), "unit": "s", "format": FORMATS.get(kind)}
    return value_text(value, column, "UTC")
