"""What is frozen once a day: the custom trends of the company and their snapshots.

In: the estate. Out: frames for `custom_trend.*`, and the trends as items to configure. Invariant: the last snapshot of
a device tells what its own row tells; before the history there is one snapshot a week, for as long as trends are asked
about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from muster.estate.dice import Dice
from muster.estate.frames import Estate
from muster.estate.population import Device
from muster.estate.rhythm import DAY
from muster.estate.world import SYSTEMS
from nql.catalog import configured
from nql.datatypes import BOOLEAN, SIZE, STRING, VERSION
from storage.control.outcomes import values

WEEKS = 8  # before the history
FREE_SHARE = 0.25  # less of the drive is free on the devices that `disk_space` follows
TRENDS = (
    (
        "windows_migration",
        "Move to Windows 11",
        "The system of every Windows device.",
        {"operating_system_name": STRING, "operating_system_build": VERSION, "hardware_model": STRING},
    ),
    (
        "disk_space",
        "Space on small drives",
        "The free space of devices that had little of it.",
        {"system_drive_free_space": SIZE, "system_drive_capacity": SIZE, "nearly_full": BOOLEAN},
    ),
)
OLD = next(item for item in SYSTEMS if item.name.startswith("Windows 10 Enterprise"))
SLOTS = {"string": "string", "version": "string", "bytes": "uint32", "boolean": "bool"}
NEARLY_FULL = 0.05
Row = dict[str, Any]


def items() -> list[configured.Item]:
    """The trends as they are configured in a portal."""
    return [configured.Trend(nql_id, fields) for nql_id, _, _, fields in TRENDS]


def custom_trends(estate: Estate) -> pl.DataFrame:
    """Rows of `custom_trend.custom_trends`."""
    rows = [(f"#{nql_id}", name, text) for nql_id, name, text, _ in TRENDS]
    return pl.DataFrame(rows, schema=["nql_id", "name", "description"], orient="row")


def snapshots(estate: Estate) -> pl.DataFrame:
    """Rows of `custom_trend.snapshots`."""
    followed = [person for person in estate.people if person.platform == "windows"] or list(estate.people[:1])
    little = [person for person in estate.people if person.free < FREE_SHARE] or list(estate.people[:1])
    rows = []
    for start in _days(estate):
        rows += [_row(start, "windows_migration", person, _system(estate, person, start)) for person in followed]
        rows += [_row(start, "disk_space", person, _space(estate, person, start)) for person in little]
    return pl.DataFrame(rows, infer_schema_length=None)


def _days(estate: Estate) -> Iterator[int]:
    """The midnights that the snapshots are of, oldest first: whole days that are over, and the weeks before."""
    last = estate.now // DAY * DAY - DAY
    first = last - max(estate.days - 1, 0) * DAY
    yield from (first - week * 7 * DAY for week in range(WEEKS, 0, -1))
    yield from range(first, last + DAY, DAY)


def _row(start: int, nql_id: str, person: Device, held: dict[str, Any]) -> Row:
    kinds = {name: SLOTS[dtype.kind.value] for name, dtype in FIELDS[nql_id].items()}
    return {
        "start_time": start,
        "end_time": start + DAY,
        "bucket_duration": DAY,
        "@device": person.uid,
        "@custom_trend": f"#{nql_id}",
        "values": values(kinds, held),
    }


def _system(estate: Estate, person: Device, start: int) -> dict[str, Any]:
    """What ran on a device that day: most of those with Windows 11 moved to it within the last weeks."""
    moved = estate.now - int(Dice(person.state).between("moved", 0, 1.6) * WEEKS * 7 * DAY)
    now = person.system
    was = OLD if now.name.startswith("Windows 11") and start < moved < estate.now - DAY else now
    return {
        "operating_system_name": was.name,
        "operating_system_build": was.build,
        "hardware_model": person.hardware.model,
    }


def _space(estate: Estate, person: Device, start: int) -> dict[str, Any]:
    left = max(0.002, person.free - person.fill * (start - estate.start) / DAY)
    return {
        "system_drive_free_space": int(person.disk * min(left, 1.0)),
        "system_drive_capacity": person.disk,
        "nearly_full": left < NEARLY_FULL,
    }


FIELDS = {nql_id: fields for nql_id, _, _, fields in TRENDS}
